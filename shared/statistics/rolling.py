"""Readings → one row a (device, metric, bucket)."""

import numpy as np
import numpy.typing as npt

from shared.statistics import moments, ragged, summary
from shared.statistics.keys import group
from shared.statistics.partials import Partials
from shared.statistics.ragged import Floats


def rollup(
    device: npt.NDArray[np.int32],
    metric: npt.NDArray[np.int32],
    bucket: npt.NDArray[np.datetime64],
    value: Floats,
) -> Partials:
    """Statistics of readings, n of each column, in any order. Values are finite; −0.0 counts as 0.0."""
    groups = group(device, metric, bucket)
    values = groups.arrange(value) + 0.0  # −0.0 equals 0.0, so a sort may leave either first
    lengths = summary.lengths(groups.length)
    summaries, summary_start = np.empty(int(lengths.sum())), ragged.starts(lengths)
    numbers = {name: np.empty(len(lengths)) for name in ("sum", "sum_error", "min", "max", "deviation")}
    for length, rows in ragged.by_length(groups.length):
        readings = ragged.matrix(values, groups.start[rows], length)
        readings.sort(axis=1)
        numbers["min"][rows], numbers["max"][rows] = readings[:, 0], readings[:, -1]
        sums = moments.compensated(readings)
        numbers["sum"][rows], numbers["sum_error"][rows] = sums.sum, sums.sum_error
        numbers["deviation"][rows] = moments.deviations(readings, sums.mean, sums.mean_error)
        ragged.put(summaries, summary_start[rows], summary.summarise(readings))
    return Partials(
        device=groups.first(device).astype(np.int32),
        metric=groups.first(metric).astype(np.int32),
        bucket=groups.first(bucket).astype("datetime64[us]"),
        count=groups.length,
        **numbers,
        late=np.zeros(len(lengths), np.int64),
        rank_error=summary.rank_errors(groups.length),
        summary=summaries,
        summary_length=lengths,
    )
