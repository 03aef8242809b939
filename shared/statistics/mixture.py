"""Summaries of a union, of which at least one member is larger than what is kept whole. See `summary` for the proof."""

import numpy as np

from shared.statistics import ragged, summary
from shared.statistics.ragged import Floats, Ints


def mixture(values: Floats, length: Ints, count: Ints, points_off: Ints) -> tuple[Floats, int]:
    """The summary (POINTS) of a union, and twice the ranks that its points may be off.

    Members: `length` points each, member after member in `values`, of `count` readings; `points_off` as in the result.
    All in whole numbers, so that no order of members can change a bit.
    """
    rank, before, after = _places(length, count)
    order = _canonical_order(values, rank, np.repeat(np.unique(count, return_inverse=True)[1], length))
    values, before, after = values[order], before[order], after[order]
    # Of each point, and doubled to stay whole: m, and what the other members leave open.
    middle = np.cumsum(before + after) - after - 1
    others_open = np.cumsum(after - before) - after + 1

    total = int(after.sum())
    wanted = 2 * summary.ranks(total)
    above = np.searchsorted(middle, wanted)
    below = np.maximum(above - 1, 0)
    off_above = middle[above] - wanted + others_open[above]
    off_below = wanted - middle[below] + others_open[below]
    chosen = np.where(off_above < off_below, above, below)
    return values[chosen], int(np.minimum(off_above, off_below).max()) + int(points_off.sum())


def _places(length: Ints, count: Ints) -> tuple[Ints, Ints, Ints]:
    """Each point's rank in its member, and the gaps to the ranks before and after; −1 and n lie outside."""
    start = ragged.starts(length)
    rank = np.arange(int(length.sum())) - np.repeat(start, length)
    before, after = np.ones((2, len(rank)), np.int64)
    larger = ~summary.whole(length, count)
    last = count[larger, None] - 1
    ranks = summary.PLACE * last // 1000 + summary.ABOVE
    at = start[larger, None] + np.arange(summary.POINTS)
    rank[at], before[at], after[at] = ranks, np.diff(ranks, prepend=-1), np.diff(ranks, append=last + 1)
    return rank, before, after


def _canonical_order(values: Floats, rank: Ints, size: Ints) -> Ints:
    """By value, and equal values by rank and by `size`, their member's place among all sizes: whoever they came from.

    Of members that are equally large, equal points of the same rank are interchangeable.
    """
    order = np.argsort(values)
    apart = values[order[1:]] != values[order[:-1]]
    if apart.all():
        return order
    ranks, sizes = int(rank.max()) + 1, int(size.max()) + 1
    if len(values) * ranks * sizes >= 2**63:
        return np.lexsort((size, rank, values))
    # The same in two sorts of numbers, which is three times as fast.
    tie = np.concatenate([[0], np.cumsum(apart)])
    return order[np.argsort((tie * ranks + rank[order]) * sizes + size[order])]
