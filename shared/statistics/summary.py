"""What percentiles are made of: the readings of some ranks. A summary of n readings has n, or POINTS numbers.

The readings are numbered from 0 by size; reading r is cont(r/(n−1)), percentile_cont's own definition. Up to
MOST_VALUES of them are all kept. Of more, the summary has those at ⌊i(n−1)/STEPS⌋, i = 0…STEPS, so that min and max
are there, and both neighbours of the percentiles in NAMED, which are therefore exact. Ranks follow from n alone. With
q = (n−1)/STEPS ≥ 4 no two are alike, and the gap between neighbours is at most ⌈q⌉. A percentile between two points is
answered by the nearer one, so its rank is off by at most ⌈q⌉/2 (`reading`).

Merging (`mixture`). Let a member's points be off by at most E ranks: reading r−E ≤ point of rank r ≤ reading r+E; E is
0 when the summary was made of readings. A value x between the member's points of ranks r and r+g has r+1−E … r+g+E of
the member's readings at or below it: (2r+g+1)/2 and up to D = (g−1)/2 + E more or less. For a point x of rank r the
member itself knows the rank, but for E. So x has rank m = r + Σ (2r'+g'+1)/2 of the other members in the union, off by
at most Σ E + Σ' (g'−1)/2. Points that are equal are one x, of all ranks from the least such m to the greatest; |m − R|
is how far R lies outside of them. The union's reading R is answered by the neighbour in m for which all this together
is least. Neighbours, of gaps g and h, are (g+h)/2 apart at most, so that the better of the two is off by at most ½ +
Σ (g−1)/2 + E over all members. That is what `mixture` finds for each R; the greatest is the E of the union.

A bound for it. As (⌈q⌉−1)/2 < q/2 and Σ q < (N−1)/STEPS, with N > MOST_VALUES readings in all, a merge adds less than
1/(2 STEPS) + 1/(2 MOST_VALUES) = 0.00125 in rank to the greatest E/(n−1) of its members; reading a percentile adds no
more than that again. A row that went through three nested merges is within 4 · 0.00125 = 0.005, whatever its members'
sizes and values.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from shared.statistics.ragged import Floats, Ints

STEPS = 500
MOST_VALUES = 2_000
NAMED = (0.1, 0.5, *range(1, 3), 2.5, *range(3, 98), 97.5, 98, 99, 99.5, 99.9)  # in percent


def _positions() -> tuple[Ints, Ints]:
    """A point's place in thousandths of n−1, and what to add to the rank there: 0, or 1 for the upper neighbour."""
    grid = 1000 // STEPS * np.arange(STEPS + 1)
    named = np.rint(10 * np.array(NAMED)).astype(np.int64)
    lower = np.union1d(grid, named)
    place = np.concatenate([lower, named])
    above = np.concatenate([np.zeros(len(lower), np.int64), np.ones(len(named), np.int64)])
    order = np.lexsort((above, place))
    return place[order], above[order]


PLACE, ABOVE = _positions()
POINTS = len(PLACE)


@lru_cache(maxsize=256)
def ranks(count: int) -> Ints:
    """Which of `count` sorted readings, from 0, the summary has; in order, read-only."""
    found = np.arange(count) if count <= MOST_VALUES else PLACE * (count - 1) // 1000 + ABOVE
    found.flags.writeable = False
    return found


def lengths(count: Ints) -> Ints:
    """How many numbers the summary of so many readings has."""
    return np.where(count <= MOST_VALUES, count, POINTS)


def whole(length: Ints, count: Ints) -> npt.NDArray[np.bool_]:
    """Which summaries of this length have all of their `count` readings."""
    found: npt.NDArray[np.bool_] = (count <= MOST_VALUES) | (length != POINTS)
    return found


def reading(count: Ints) -> Ints:
    """Twice the ranks that a percentile between two points may be off."""
    return np.where(count <= MOST_VALUES, 0, -(-(count - 1) // STEPS))


def rank_errors(count: Ints, points_off: Ints | int = 0) -> Floats:
    """The most that a percentile of summaries of so many readings is off, as a share of 1.

    `points_off` is 2E, in ranks.
    """
    return np.minimum((points_off + reading(count)) / np.maximum(2 * (count - 1), 1), 1.0)


def points_off(count: Ints, rank_error: Floats) -> Ints:
    """2E, whole, from what `rank_errors` gave."""
    return np.rint(rank_error * (2 * (count - 1))).astype(np.int64) - reading(count)


def summarise(rows: Floats) -> Floats:
    """Summaries (n, count or POINTS) of rows (n, count) that are sorted along axis 1."""
    count = rows.shape[1]
    return rows if count <= MOST_VALUES else rows[:, ranks(count)]
