"""Which stored statistics and which raw events answer a question: each instant from one of them, never from both.

Pure; all times are microseconds since 1970.

    level 1d      |                       until|
    level 1h      |       |       |       |    until|
    level 1m      |.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.until|
    asked       from--------------------------------------------to
    read          m hhhhhhhDDDDDDDDDDDDDDDDhhhhhmmmmmmmmrrrrrrrr      a cut or dirty minute: r, its neighbours: m, h
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

Micros = npt.NDArray[np.int64]
Range = tuple[int, int]

EVER = 2**62  # beyond all times
NONE: Micros = np.empty(0, np.int64)
_MINUTE = 60_000_000
_NOTHING_STALE: Mapping[int, Micros] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Level:
    """Buckets of `width`, stored from `since` to `until`."""

    width: int
    until: int
    since: int = -EVER


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


def plan(
    cuts: Micros,
    levels: Sequence[Level],
    dirty: Micros,
    ranges: Sequence[Range] = (),
    stale: Mapping[int, Micros] = _NOTHING_STALE,
) -> Plan:
    """How to read [cuts[0], cuts[-1]), or of that only `ranges`, which are disjoint and in order.

    `cuts`: increasing, the instants where an answer's rows begin and end; no stored bucket may straddle one.
    `levels`: in any order; each width divides the next coarser one's.
    `dirty`: starts of the finest level's buckets whose stored statistics are behind the raw events, in any order.
    `stale`: by width, starts of buckets of this level that can't be used, in any order.
    """
    stored: list[Stored] = []
    left: list[Range] = list(ranges) or [(int(cuts[0]), int(cuts[-1]))]
    for level in sorted(levels, key=lambda level: -level.width):
        rest: list[Range] = []
        for start, end in left:
            low = -(-max(start, level.since) // level.width) * level.width
            high = min(end, level.until) // level.width * level.width
            if low >= high:
                rest.append((start, end))
                continue
            behind = np.concatenate([dirty, stale.get(level.width, NONE)])
            whole = list(_gaps(low, high, _blocked(cuts, behind, level.width, low, high), level.width))
            stored.extend(Stored(level.width, *piece) for piece in whole)
            rest.extend(_complement(start, end, whole))
        left = rest
    return Plan(tuple(sorted(stored, key=lambda piece: piece.start)), tuple(left))


def _blocked(cuts: Micros, behind: Micros, width: int, low: int, high: int) -> Micros:
    """Starts of the buckets in [low, high) that a cut divides or that hold a moment of `behind`."""
    inside = cuts[np.searchsorted(cuts, low, "right") : np.searchsorted(cuts, high, "left")]
    dividing = inside[inside % width != 0]
    held = behind[(behind >= low) & (behind < high)]
    return np.unique(np.concatenate([dividing, held]) // width * width)


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
