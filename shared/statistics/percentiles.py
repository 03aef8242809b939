"""percentile_cont, read off summaries; how far off in rank an answer can be."""

import numpy as np

from shared.statistics import summary
from shared.statistics.ragged import Floats, Ints


def of_values(rows: Floats, fractions: Floats) -> Floats:
    """percentile_cont (n, f) at `fractions` (f) of rows (n, count) that hold all values, sorted along axis 1."""
    last = rows.shape[1] - 1
    at = fractions * last
    below = at.astype(np.int64)
    return interpolate(rows[:, below], rows[:, np.minimum(below + 1, last)], at - below)


def of_points(rows: Floats, count: Ints, points_off: Ints, fractions: Floats) -> tuple[Floats, Floats]:
    """The same (n, f) of summaries (n, POINTS) of `count` (n) readings, and the answers' rank errors (n, f).

    points_off (n): twice the ranks that the points may be off.
    """
    last = count - 1
    whole, rest, column = _wanted(last, fractions)
    # Of four points the first is at or before what is wanted, the last behind it, unless the points end.
    rank = summary.PLACE[column] * last[:, None, None] // 1000 + summary.ABOVE[column]
    before = (rank <= whole[:, :, None]).sum(axis=2, keepdims=True) - 1
    around = np.minimum(np.concatenate([before, before + 1], axis=2), rank.shape[2] - 1)
    low_rank, high_rank = np.moveaxis(np.take_along_axis(rank, around, axis=2), 2, 0)
    points = np.take_along_axis(np.broadcast_to(column, rank.shape), around, axis=2)
    low, high = np.moveaxis(rows[np.arange(len(rows))[:, None, None], points], 2, 0)

    away, gap = (whole - low_rank) + rest, high_rank - low_rank
    beside = gap <= 1
    answers = interpolate(low, high, np.where(beside, away, away > gap / 2))
    # Two readings that follow each other are what percentile_cont is made of, if they are these readings.
    nearest, farthest = np.minimum(away, gap - away), np.where(away == 0, 0.0, np.maximum(away, gap - away))
    off = np.where(beside, np.where(points_off[:, None] == 0, 0.0, farthest), nearest)
    off = np.where(low == high, 0.0, off) + points_off[:, None] / 2
    inside = (fractions > 0) & (fractions < 1)  # min and max are always exact
    return answers, np.where(inside, np.minimum(off / last[:, None], 1.0), 0.0)


def _wanted(last: Ints, fractions: Floats) -> tuple[Ints, Floats, Ints]:
    """Ranks that are asked for (n, f): whole and rest; and the columns (f, 4) of the points around."""
    places = fractions * 1000
    named = np.rint(places)
    on_place = np.abs(places - named) < 1e-9  # 0.29 · 1000 is meant to be 290
    # In whole numbers: a product of floats could miss the rank that a point lies on.
    exactly, thousandths = np.divmod(last[:, None] * named.astype(np.int64), 1000)
    at = fractions * last[:, None]
    nearly = np.minimum(at.astype(np.int64), last[:, None])
    whole = np.where(on_place, exactly, nearly)
    rest = np.where(on_place, thousandths / 1000, at - nearly)
    first = np.searchsorted(summary.PLACE, np.where(on_place, named, places), side="right") - 1
    first = np.searchsorted(summary.PLACE, summary.PLACE[first])  # the lower neighbour, if both are there
    return whole, rest, np.minimum(first[:, None] + np.arange(4), summary.POINTS - 1)


def interpolate(low: Floats, high: Floats, fraction: Floats) -> Floats:
    """low + fraction · (high − low), for low ≤ high: exact at both ends, never outside, without overflow."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        gap = high - low
        straight = np.where(fraction < 0.5, low + fraction * gap, high - (1.0 - fraction) * gap)
        wide = low * (1.0 - fraction) + high * fraction
    return np.clip(np.where(np.isfinite(straight), straight, wide), low, high)
