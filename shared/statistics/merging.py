"""Rows with the same (device, metric, bucket) become one: buckets into a longer one, devices into a fleet."""

from collections.abc import Sequence

import numpy as np

from shared.statistics import moments, ragged, summary
from shared.statistics.keys import Groups, group
from shared.statistics.mixture import mixture
from shared.statistics.partials import Partials, concatenate, empty
from shared.statistics.ragged import Floats, Ints


def merge(parts: Sequence[Partials]) -> Partials:
    """All rows of all parts, one a key; give them the longer bucket's start, or one device, to merge over those.

    Any order of parts and rows gives the same bytes. Merging merged rows again adds to their rank_error.
    """
    if not parts:
        return empty()
    rows = concatenate(parts)
    groups = group(rows.device, rows.metric, rows.bucket)
    if (groups.length == 1).all():
        return rows if groups.order is None else rows.take(groups.order)
    if groups.order is not None:
        rows = rows.take(groups.order)
    start = groups.start
    numbers = {name: getattr(rows, name)[start] for name in ("sum", "sum_error", "deviation")}
    low, high = np.minimum.reduceat(rows.min, start), np.maximum.reduceat(rows.max, start)
    mean, mean_error = moments.means(rows.sum, rows.sum_error, rows.count)
    for members, group_rows in ragged.by_length(groups.length):
        if members == 1:
            continue  # they stay as they are
        at = start[group_rows][:, None] + np.arange(members)
        count = rows.count[at]
        whole = moments.combined(rows.sum[at], rows.sum_error[at], count)
        numbers["sum"][group_rows], numbers["sum_error"][group_rows] = whole.sum, whole.sum_error
        numbers["deviation"][group_rows] = moments.combined_deviations(
            rows.deviation[at], (mean[at], mean_error[at]), count, whole, low[group_rows], high[group_rows]
        )
    values, lengths, rank_error = _summaries(rows, groups)
    return Partials(
        device=rows.device[start],
        metric=rows.metric[start],
        bucket=rows.bucket[start],
        count=np.add.reduceat(rows.count, start),
        min=low,
        max=high,
        **numbers,
        late=np.add.reduceat(rows.late, start),
        rank_error=rank_error,
        summary=values,
        summary_length=lengths,
    )


def _summaries(rows: Partials, groups: Groups) -> tuple[Floats, Ints, Floats]:
    """(values, lengths, rank errors) of the groups' summaries; `rows` are in the groups' order."""
    count = np.add.reduceat(rows.count, groups.start)
    points = np.add.reduceat(rows.summary_length, groups.start)
    at = ragged.starts(points)
    alone = groups.length == 1
    whole = np.logical_and.reduceat(summary.whole(rows.summary_length, rows.count), groups.start)
    lengths = np.where(alone, points, np.where(whole, summary.lengths(points), summary.POINTS))
    values, start = np.empty(int(lengths.sum())), ragged.starts(lengths)
    rank_error = np.where(alone, rows.rank_error[groups.start], summary.rank_errors(count))

    if alone.any():
        values[ragged.positions(start[alone], lengths[alone])] = rows.summary[
            ragged.positions(at[alone], lengths[alone])
        ]
    all_values = np.flatnonzero(whole & ~alone)
    for length, chosen in ragged.by_length(points[all_values]):
        union = ragged.matrix(rows.summary, at[all_values[chosen]], length)
        union.sort(axis=1)
        ragged.put(values, start[all_values[chosen]], summary.summarise(union))
    for number in np.flatnonzero(~whole & ~alone):
        members = slice(groups.start[number], groups.start[number] + groups.length[number])
        values[start[number] : start[number] + lengths[number]], off = mixture(
            rows.summary[at[number] : at[number] + points[number]],
            rows.summary_length[members], rows.count[members],
            summary.points_off(rows.count[members], rows.rank_error[members]),
        )  # fmt: skip
        rank_error[number] = summary.rank_errors(count[number], off)
    return values, lengths, rank_error
