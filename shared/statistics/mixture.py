"""Summaries of a union, of which at least one member is larger than what is kept whole. See `summary` for the proof."""

import numpy as np

from shared.statistics import ragged, summary
from shared.statistics.ragged import Floats, Ints


def mixture(values: Floats, length: Ints, count: Ints, points_off: Ints) -> tuple[Floats, int]:
    """The summary (POINTS) of a union, and twice the ranks that its points may be off.

    Members: `length` points each, member after member in `values`, of `count` readings; `points_off` as in the result.
    Equal points are looked at as one, and in whole numbers, so that no order of members can change a bit.
    """
    start = ragged.starts(length)
    order = np.argsort(values)
    before, after, own_before = _gaps(values, start, length, count).take(order, axis=1)
    values = values[order]
    first = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    # Of each value, and doubled to stay whole: how many readings are below and up to it, going by the middle of what
    # the gaps leave open, and how much they leave open. A member that has the value as a point knows its own ranks.
    weight, widened, own = (np.add.reduceat(each, first) for each in (before + after, after - before, own_before))
    up_to, open_after = np.cumsum(weight), np.cumsum(widened)
    lowest = up_to - weight + own
    highest = up_to - (widened + own) - 2
    others_open = open_after - (widened + own)

    wanted = 2 * summary.ranks(int(after.sum()))
    above = np.searchsorted(highest, wanted)
    below = np.maximum(above - 1, 0)
    off_above = np.maximum(lowest[above] - wanted, 0) + others_open[above]
    off_below = np.abs(wanted - highest[below]) + others_open[below]
    chosen = np.where(off_above <= off_below, above, below)
    return values[first[chosen]], int(np.minimum(off_above, off_below).max()) + int(points_off.sum())


def _gaps(values: Floats, start: Ints, length: Ints, count: Ints) -> Ints:
    """Of each point, (3, n): the ranks from the member's point before to it, from it to the one after, and how many
    readings lie in the former if that point has another value, else 0. The points outside have the ranks −1 and n.
    """
    gaps = np.ones((3, len(values)), np.int64)
    larger = np.flatnonzero(~summary.whole(length, count))
    rank = summary.PLACE * (count[larger, None] - 1) // 1000 + summary.ABOVE
    between = rank[:, 1:] - rank[:, :-1]
    ragged.put(gaps[0], start[larger] + 1, between)
    ragged.put(gaps[1], start[larger], between)
    np.not_equal(values[1:], values[:-1], out=gaps[2, 1:], casting="unsafe")
    gaps[2, start] = 1
    gaps[2] *= gaps[0] - 1
    return gaps
