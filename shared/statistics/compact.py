"""Summaries as bytes, packed where readings have few decimals; what is unpacked is the same bit by bit.

The first byte says how to read the rest, little endian: its low half is a width w, its high half an exponent e.

    w = 0        doubles
    w = 1, 2, 4  an int64, the first reading times 10ᵉ; then by how much each next one is larger, in w bytes

A reading is its whole number divided by 10ᵉ, which rounds to the double that the decimal number is written for. The
least e is taken with which that is true of all readings, so that the same readings are the same bytes.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from shared.statistics import ragged
from shared.statistics.ragged import Floats, Ints

Bytes = npt.NDArray[np.uint8]

_EXPONENTS = 16
_POWERS = 10.0 ** np.arange(_EXPONENTS)
_LARGEST = 2.0**51  # of a whole number: times 10ᵉ is then less than ½ off, and rounds to it
_WIDTHS = (1, 2, 4)
_SAMPLES = 5
_AT_ONCE = 200_000  # readings, or octets: what stays in the processor's cache
_HEAD, _FIRST = 1, 8


def pack(rows: Floats) -> Iterator[tuple[Ints, Bytes]]:
    """(numbers, bytes (n, octets)) of those of the `rows` (m, length), each sorted, that need equally many octets."""
    at_once = max(1, _AT_ONCE // rows.shape[1])
    for first in range(0, len(rows), at_once):
        yield from _pack(rows[first : first + at_once], first)


def _pack(rows: Floats, first: int) -> Iterator[tuple[Ints, Bytes]]:
    exponent, wholes = _decimals(rows)
    steps = np.diff(wholes, axis=1)
    most = steps.view(np.uint64).max(axis=1, initial=0)  # of what isn't sorted: huge
    width = np.select([most < 2 ** (8 * width) for width in _WIDTHS], _WIDTHS, 0)
    width[exponent == _EXPONENTS] = 0
    for each in np.unique(width).tolist():
        chosen = np.flatnonzero(width == each)
        if each:
            head = exponent[chosen] * 16 + each
            parts = [_bytes(wholes[chosen, :1], "<i8"), _bytes(steps[chosen], f"<u{each}")]
        else:
            head, parts = np.zeros_like(chosen), [_bytes(rows[chosen], "<f8")]
        yield chosen + first, np.concatenate([head.astype(np.uint8)[:, None], *parts], axis=1)


def unpack(packed: Bytes, octets: Ints) -> tuple[Floats, Ints]:
    """(readings, lengths) of summaries, one after the other in `packed`, with so many `octets` each."""
    start = ragged.starts(octets)
    head = packed[start].astype(np.int64)
    width, exponent = head & 15, head >> 4
    lengths = np.where(width == 0, (octets - _HEAD) // 8, (octets - _HEAD - _FIRST) // np.maximum(width, 1) + 1)
    readings, at = np.empty(int(lengths.sum())), ragged.starts(lengths)
    for key, same in ragged.by_length(octets * 16 + width):
        at_once = 16 * _AT_ONCE // key + 1
        for first in range(0, len(same), at_once):
            chosen = same[first : first + at_once]
            body = ragged.matrix(packed, start[chosen], key // 16)[:, _HEAD:]
            ragged.put(readings, at[chosen], _read(body, key % 16, exponent[chosen]))
    return readings, lengths


def _decimals(rows: Floats) -> tuple[Ints, Ints]:
    """The least exponent that makes each row whole numbers, _EXPONENTS if none does, and these numbers (m, length)."""
    exponent, wholes = np.full(len(rows), _EXPONENTS), np.zeros(rows.shape, np.int64)
    samples = rows[:, np.linspace(0, rows.shape[1] - 1, _SAMPLES).astype(np.int64)]
    for tried in range(_EXPONENTS):
        likely = np.flatnonzero(_whole(samples, tried)[0] & (exponent == _EXPONENTS))
        if len(likely):
            fits, numbers = _whole(rows[likely], tried)
            wholes[likely[fits]] = numbers[fits]
            exponent[likely[fits]] = tried
            if (exponent < _EXPONENTS).all():
                break
    return exponent, wholes


def _whole(rows: Floats, exponent: int) -> tuple[npt.NDArray[np.bool_], Ints]:
    """Which rows are whole numbers times 10⁻ᵉ, bit by bit, and the numbers."""
    power = _POWERS[exponent]
    with np.errstate(over="ignore"):
        scaled = np.rint(rows * power)
    small = np.maximum(np.abs(scaled[:, 0]), np.abs(scaled[:, -1])) < _LARGEST
    numbers = (scaled if small.all() else np.where(small[:, None], scaled, 0.0)).astype(np.int64)
    same = (numbers / power).view(np.int64) == rows.view(np.int64)
    return small & same.all(axis=1), numbers


def _bytes(rows: npt.NDArray[np.generic], kind: str) -> Bytes:
    return np.ascontiguousarray(rows, kind).view(np.uint8)


def _read(body: Bytes, width: int, exponent: Ints) -> Floats:
    """The readings (n, length) in what follows the first byte."""
    if width == 0:
        return np.ascontiguousarray(body).view("<f8").astype(np.float64, copy=False)
    first = np.ascontiguousarray(body[:, :_FIRST]).view("<i8")
    deltas = np.ascontiguousarray(body[:, _FIRST:]).view(f"<u{width}")
    wholes = np.cumsum(np.concatenate([first, deltas], axis=1), axis=1, dtype=np.int64)
    return wholes / _POWERS[exponent][:, None]
