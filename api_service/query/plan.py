"""Which stored statistics and which raw events answer a question: each instant from one of them, never from both.

Pure; all times are microseconds since 1970.

    level 1d      |                       until|
    level 1h      |       |       |       |    until|
    level 1m      |.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.until|
    asked       from--------------------------------------------to
    read          m hhhhhhhDDDDDDDDDDDDDDDDhhhhhmmmmmmmmrrrrrrrr      a cut or dirty minute: r, its neighbours: m, h
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Micros = npt.NDArray[np.int64]
Range = tuple[int, int]

_MINUTE = 60_000_000


@dataclass(frozen=True, slots=True)
class Level:
    """Buckets of `width`, stored as far as `until`."""

    width: int
    until: int


@dataclass(frozen=True, slots=True)
class Stored:
    """Whole buckets of a level, [start, end)."""

    width: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Plan:
    stored: tuple[Stored, ...]
    raw: tuple[Range, ...]

    def cells(self, series: int, devices: int) -> int:
        """The most stored statistics that so many series of so many devices have here.

        A minute of a device's raw events is reckoned as one: an event a second weighs about as much.
        """
        stored = sum((piece.end - piece.start) // piece.width for piece in self.stored)
        raw = sum(1 + (end - start) // _MINUTE for start, end in self.raw)
        return stored * series + raw * devices


def plan(cuts: Micros, levels: Sequence[Level], dirty: Micros, ranges: Sequence[Range] = ()) -> Plan:
    """How to read [cuts[0], cuts[-1]), or of that only `ranges`, which begin and end at cuts and are in order.

    `cuts`: increasing, the instants where an answer's rows begin and end; no stored bucket may straddle one.
    `levels`: in any order; each width divides the next coarser one's.
    `dirty`: starts of the finest level's buckets whose stored statistics are behind the raw events, in any order.
    """
    stored: list[Stored] = []
    left: list[Range] = list(ranges) or [(int(cuts[0]), int(cuts[-1]))]
    for level in sorted(levels, key=lambda level: -level.width):
        rest: list[Range] = []
        for start, end in left:
            low = -(-start // level.width) * level.width
            high = min(end, level.until) // level.width * level.width
            if low >= high:
                rest.append((start, end))
                continue
            whole = list(_gaps(low, high, _blocked(cuts, dirty, level.width, low, high), level.width))
            stored.extend(Stored(level.width, *piece) for piece in whole)
            rest.extend(_complement(start, end, whole))
        left = rest
    return Plan(tuple(sorted(stored, key=lambda piece: piece.start)), tuple(left))


def _blocked(cuts: Micros, dirty: Micros, width: int, low: int, high: int) -> Micros:
    """Starts of the buckets in [low, high) that a cut divides or that hold something dirty."""
    inside = cuts[np.searchsorted(cuts, low, "right") : np.searchsorted(cuts, high, "left")]
    dividing = inside[inside % width != 0]
    behind = dirty[(dirty >= low) & (dirty < high)]
    return np.unique(np.concatenate([dividing, behind]) // width * width)


def _gaps(low: int, high: int, blocked: Micros, width: int) -> Iterator[Range]:
    """[low, high) without the blocked buckets."""
    for bucket in blocked.tolist():
        if low < bucket:
            yield low, bucket
        low = bucket + width
    if low < high:
        yield low, high


def _complement(start: int, end: int, pieces: Sequence[Range]) -> Iterator[Range]:
    """[start, end) without `pieces`, which are in it, disjoint and in order."""
    for low, high in pieces:
        if start < low:
            yield start, low
        start = high
    if start < end:
        yield start, end
