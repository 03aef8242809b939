"""What percentiles are made of: all values of a group, sorted, or an equi-rank grid where there are too many.

The grid of n values is percentile_cont at i/STEPS, i = 0…STEPS: it holds min and max, and its answers to multiples of
1/STEPS are exact when it was made of values. Between two points x answers p by linear interpolation, and its rank
error, the least e with cont(p−e) ≤ x ≤ cont(p+e), is below 1/STEPS since x lies between cont of the two.

Merging. Let a grid of n values stand for points that weigh (n−1)/STEPS each, the two ends half of that and ½ more,
n in all; a value weighs 1. Between points i and i+1 the true count of values lies between ⌊i(n−1)/STEPS⌋ + 1 and
⌈(i+1)(n−1)/STEPS⌉, and the points' count is right in the middle: it is off by at most d = (n−1 + STEPS − 2·gcd(n−1,
STEPS)) / (2·STEPS), and by e(n−1) more if the grid's own points are off by a rank error e. Take the union of all
members' points as a sample of N = Σn values and read its percentiles off the middles of their weights: with
D = Σd and points of weight ≤ w, that has a rank error of at most (D + w/2 + ½) / (N−1). With values only it is
percentile_cont itself. Weights are integers (in units of 1/(2·STEPS)), so no order of members can change a bit.
"""

import math

import numpy as np
import numpy.typing as npt

from shared.statistics.ragged import Floats, Ints

STEPS = 400


def lengths(count: Ints) -> Ints:
    """How many numbers the summary of so many values has."""
    return np.minimum(count, STEPS + 1)


def exact(length: Ints) -> npt.NDArray[np.bool_]:
    """Which summaries of these lengths hold all values."""
    return length <= STEPS


def rank_errors(count: Ints) -> Floats:
    """The most that a percentile of a summary of so many values can be off in rank."""
    return np.where(count <= STEPS, 0.0, 1 / STEPS)


def summarise(rows: Floats) -> Floats:
    """Summaries (n, count or STEPS + 1) of rows (n, count) that are sorted along axis 1."""
    count = rows.shape[1]
    if count <= STEPS:
        return rows
    # i·(count−1)/STEPS in integers: a product of floats would miss the points that lie on a value.
    below, rest = np.divmod(np.arange(STEPS + 1) * (count - 1), STEPS)
    above = np.minimum(below + 1, count - 1)
    return interpolate(rows[:, below], rows[:, above], rest / STEPS)


def interpolate(low: Floats, high: Floats, fraction: Floats) -> Floats:
    """low + fraction · (high − low), for low ≤ high: exact at both ends, never outside, without overflow."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        gap = high - low
        straight = np.where(fraction < 0.5, low + fraction * gap, high - (1.0 - fraction) * gap)
        wide = low * (1.0 - fraction) + high * fraction
    return np.clip(np.where(np.isfinite(straight), straight, wide), low, high)


def percentiles(rows: Floats, fractions: Floats) -> Floats:
    """percentile_cont (n, f) of summaries (n, length), which are all values or all grids."""
    last = rows.shape[1] - 1
    at = _on_points(fractions) if last == STEPS else fractions * last
    below = np.floor(at).astype(np.int64)
    return interpolate(rows[:, below], rows[:, np.minimum(below + 1, last)], at - below)


def interpolation_errors(fractions: Floats) -> Floats:
    """What a grid's answers (f) may be off in rank beyond what its points are off: 0 on a point."""
    at = _on_points(fractions)
    between = at - np.floor(at)
    return np.where(between == 0, 0.0, np.maximum(between, 1.0 - between) / STEPS)


def _on_points(fractions: Floats) -> Floats:
    """Positions on the grid; 0.29 · 400 is meant to be 116."""
    at = fractions * STEPS
    nearest = np.round(at)
    return np.where(np.abs(at - nearest) < 1e-9, nearest, at)


def mixture(values: Floats, length: Ints, count: Ints, rank_error: Floats) -> tuple[Floats, float]:
    """The grid (STEPS + 1) and rank error of a union, of which at least one member is a grid.

    Members: `length` points each, member after member in `values`; `count` values are behind each.
    """
    grids = ~exact(length)
    point = np.where(grids, 2 * (count - 1), 2 * STEPS)
    weight = np.repeat(point, length)
    ends = np.cumsum(length)[grids]
    end_weight = count[grids] - 1 + STEPS
    weight[ends - length[grids]] = end_weight
    weight[ends - 1] = end_weight

    order = _canonical_order(values, weight)
    values, weight = values[order], weight[order]
    middle = 2 * np.cumsum(weight) - weight  # doubled, to stay whole
    total = int(count.sum())
    wanted = 4 * np.arange(STEPS + 1) * (total - 1) + 2 * STEPS
    above = np.clip(np.searchsorted(middle, wanted), 1, len(middle) - 1)
    below = above - 1
    fraction = np.clip((wanted - middle[below]) / np.maximum(middle[above] - middle[below], 1), 0.0, 1.0)

    steps = count[grids] - 1
    cells = (steps + STEPS - 2 * np.gcd(steps, STEPS)) / (2 * STEPS)
    off = math.fsum(cells + steps * (rank_error[grids] - 1 / STEPS)) + float(weight.max()) / (4 * STEPS) + 0.5
    return interpolate(values[below], values[above], fraction), min(1.0, off / (total - 1) + 1 / STEPS)


def _canonical_order(values: Floats, weight: Ints) -> Ints:
    """By value, and equal values by weight, whoever they came from."""
    order = np.argsort(values)
    apart = values[order[1:]] != values[order[:-1]]
    if apart.all():
        return order
    most = int(weight.max()) + 1
    if len(values) * most >= 2**63:
        return np.lexsort((weight, values))
    # The same in two sorts of numbers, which is three times as fast.
    tie = np.concatenate([[0], np.cumsum(apart)])
    return order[np.argsort(tie * most + weight[order])]
