"""percentile_cont, read off summaries; how far off in rank an answer can be."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from shared.statistics import summary
from shared.statistics.ragged import Floats, Ints


def of_values(values: Floats, start: Ints, count: Ints, fractions: Floats) -> Floats:
    """percentile_cont (n, f) at `fractions` (f) of summaries that hold all of their `count` (n) readings.

    They begin at `start` (n) in `values`.
    """
    last = (count - 1)[:, None]
    at = fractions * last
    below = at.astype(np.int64)
    low, high = values[start[:, None] + np.array([below, np.minimum(below + 1, last)])]
    return interpolate(low, high, at - below)


def of_points(values: Floats, start: Ints, count: Ints, points_off: Ints, fractions: Floats) -> tuple[Floats, Floats]:
    """The same (n, f) of summaries of POINTS, and the answers' rank errors (n, f).

    Summaries (n) begin at `start` in `values` and are of `count` readings; their points may be off by half `points_off`
    ranks.
    """
    last = (count - 1)[:, None]
    asked = _asked(fractions.tobytes())
    # In whole numbers: a product of floats could miss the rank that a point lies on.
    exactly, thousandths = np.divmod(last * asked.place, 1000)
    rest, nearly = np.modf(fractions * last)
    whole = np.where(asked.on_place, exactly, nearly.astype(np.int64))
    rest = np.where(asked.on_place, thousandths / 1000, rest)
    below = asked.first + (_ranks(asked.around, last) <= whole).sum(axis=0)
    ends = np.minimum(np.array([below, below + 1]), summary.POINTS - 1)
    (low_rank, high_rank), (low, high) = _ranks(ends, last), values[start[:, None] + ends]

    away, gap = (whole - low_rank) + rest, high_rank - low_rank
    beside, left = gap <= 1, gap - away
    answers = interpolate(low, high, np.where(beside, away, away > left))
    # Two readings that follow each other are what percentile_cont is made of, if they are these readings.
    farthest = np.maximum(away, left) * ((away != 0) & (points_off != 0)[:, None])
    off = np.where(beside, farthest, np.minimum(away, left)) * (low != high) + (points_off / 2)[:, None]
    return answers, np.minimum(off / last, 1.0) * asked.inside


def _ranks(points: Ints, last: Ints) -> Ints:
    return summary.PLACE[points] * last // 1000 + summary.ABOVE[points]


class _Asked(NamedTuple):
    """Of fractions (f): the nearest place of a point, in thousandths, and whether it is meant; the last point that is
    surely at or before what is asked for, and three more (3, 1, f), the last of which is behind it unless points end;
    whether it is neither min nor max, which are always exact.
    """

    place: Ints
    on_place: npt.NDArray[np.bool_]
    first: Ints
    around: Ints
    inside: npt.NDArray[np.bool_]


@lru_cache(maxsize=64)
def _asked(fractions: bytes) -> _Asked:
    of = np.frombuffer(fractions)
    place = np.rint(of * 1000)
    on_place = np.abs(of * 1000 - place) < 1e-9  # 0.29 · 1000 is meant to be 290
    first = np.searchsorted(summary.PLACE, np.where(on_place, place, of * 1000), side="right") - 1
    first -= summary.ABOVE[first]  # the lower neighbour, if both are there
    around = np.minimum(first + np.arange(1, 4)[:, None, None], summary.POINTS - 1)
    return _Asked(place.astype(np.int64), on_place, first, around, (of > 0) & (of < 1))


def interpolate(low: Floats, high: Floats, fraction: Floats) -> Floats:
    """low + fraction · (high − low), for low ≤ high: exact at both ends, never outside, without overflow."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        gap = high - low
        between = np.where(fraction < 0.5, low + fraction * gap, high - (1.0 - fraction) * gap)
        if not np.isfinite(gap).all():
            between = np.where(np.isfinite(gap), between, low * (1.0 - fraction) + high * fraction)
    return np.minimum(np.maximum(between, low), high)
