"""What /stats should say, by definition and in plain Python: exact fractions, minute by minute, no code of ours."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

SECOND = 1_000_000
MINUTE, DAY = 60 * SECOND, 86_400 * SECOND
_LARGEST = Fraction(np.finfo(np.float64).max)
_BITS = 1_200  # behind the point of a root: more than the smallest double has

RANK_ERROR = 0.005  # what design.md allows
_ROUNDING = 1e-11  # of a rank


@dataclass(frozen=True)
class Reading:
    """`late`: its minute was closed when it came; `stored`: how far each level (s) was stored then (µs)."""

    device: str
    metric: str
    ts: int
    value: float
    late: bool
    stored: dict[int, int]


def edges(start: int, end: int, minutes: int, tz: str) -> list[int]:
    """The starts of the buckets that meet [start, end) (µs), and the last one's end.

    A bucket begins where the zone's wall clock shows a multiple of its width from midnight, or jumps past one; a day
    at its first instant, a week on Monday.
    """
    around = minutes + 26 * 60  # no bucket is longer than a week and a change of the clocks
    found = list(_begins(start // MINUTE - around, end // MINUTE + around, minutes, ZoneInfo(tz)))
    low, high = max(edge for edge in found if edge <= start), min(edge for edge in found if edge >= end)
    return [edge for edge in found if low <= edge <= high]


def _begins(first: int, last: int, width: int, zone: ZoneInfo) -> Iterator[int]:
    """Where buckets begin, minute by minute: every zone's clock differs from UTC by whole minutes nowadays."""
    before = datetime.fromtimestamp((first - 1) * 60, zone)
    for minute in range(first, last):
        now = datetime.fromtimestamp(minute * 60, zone)
        if now.date() != before.date():
            begins = width < 7 * 1_440 or now.weekday() == 0
        else:
            at, was = now.hour * 60 + now.minute, before.hour * 60 + before.minute
            begins = width < 1_440 and (at % width == 0 or at // width > was // width)
        if begins:
            yield minute * MINUTE
        before = now


def check_row(row: dict[str, Any], values: Sequence[float], percentiles: Sequence[float]) -> None:
    """A row's numbers are those of its readings."""
    assert row["count"] == len(values), (row, len(values))
    assert (row["min"], row["max"]) == (min(values), max(values)), row
    exact = [Fraction(value) for value in values]
    total = sum(exact, Fraction())
    magnitude = sum(map(abs, exact), Fraction())
    if abs(total) > _LARGEST:
        assert row["sum"] is None
    else:
        assert abs(Fraction(row["sum"]) - total) <= magnitude / 10**12, (row, float(total))
    tiny = Fraction(5e-324)
    assert abs(Fraction(row["avg"]) - total / len(exact)) <= magnitude / len(exact) / 10**12 + tiny, row
    _check_stddev(row["stddev"], exact, total)
    error = row["max_rank_error"]
    assert 0 <= error <= RANK_ERROR, row
    assert row["method"] == ("sketch" if error else "exact")
    ordered = sorted(exact)
    for percentile in percentiles:
        answer, off = row[f"p{percentile:g}"], error + _ROUNDING
        low, high = (_continuous(ordered, percentile / 100 + sign * off) for sign in (-1, 1))
        slack = max(abs(low), abs(high)) / 10**12 + tiny
        assert low - slack <= Fraction(answer) <= high + slack, (percentile, answer, float(low), float(high))
        if percentile in (0, 100):
            assert answer == (row["max"] if percentile else row["min"])


def _check_stddev(told: float | None, values: Sequence[Fraction], total: Fraction) -> None:
    n = len(values)
    if n < 2:
        assert told is None, told
        return
    variance = sum(((value - total / n) ** 2 for value in values), Fraction()) / (n - 1)
    root = Fraction(math.isqrt((variance.numerator << 2 * _BITS) // variance.denominator), 1 << _BITS)
    if root > _LARGEST:
        assert told is None
    else:
        assert told is not None
        slack = root / 10**11 + max(map(abs, values)) / 10**15 + 2 * Fraction(5e-324)
        assert abs(Fraction(told) - root) <= slack, (told, float(root))


def _continuous(ordered: Sequence[Fraction], fraction: float) -> Fraction:
    """percentile_cont."""
    at = Fraction(min(1.0, max(0.0, fraction))) * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])
