"""Events → readings."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from shared.pgcopy import Events
from shared.statistics import ragged

Readings = tuple[
    npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.datetime64], npt.NDArray[np.float64]
]  # device, metric, ts, value


def explode(events: Events, layouts: Mapping[int, npt.NDArray[np.int32]]) -> Readings:
    """Columns (device, metric, ts, value) with a row a reading; `layouts` has the metric ids of each layout's values.

    Metric by metric within a layout, so that readings of one series stay as close as their events are.

    Raises:
        ValueError: an event has another number of values than its layout.
    """
    start = ragged.starts(events.length)
    pieces = [_of_layout(events, start, layout, layouts[layout]) for layout in np.unique(events.layout).tolist()]
    if not pieces:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, "datetime64[us]"), np.empty(0)
    device, metric, ts, value = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return device, metric, ts, value


def _of_layout(
    events: Events, start: npt.NDArray[np.int64], layout: int, metric_ids: npt.NDArray[np.int32]
) -> Readings:
    rows = np.flatnonzero(events.layout == layout)
    width = len(metric_ids)
    if (events.length[rows] != width).any():
        raise ValueError(f"an event of layout {layout} has not {width} values")
    values = ragged.matrix(events.values, start[rows], width)
    return (
        np.tile(events.device[rows], width),
        np.repeat(metric_ids.astype(np.int32), len(rows)),
        np.tile(events.ts[rows], width),
        values.T.ravel(),
    )
