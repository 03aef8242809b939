"""Events → readings."""

from collections.abc import Mapping, Sequence

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
    pieces = []
    for layout in np.unique(events.layout).tolist():
        rows = np.flatnonzero(events.layout == layout)
        width = len(layouts[layout])
        if (events.length[rows] != width).any():
            raise ValueError(f"an event of layout {layout} has not {width} values")
        values = ragged.matrix(events.values, start[rows], width)
        pieces.append(of_layout(events.device[rows], events.ts[rows], values, layouts[layout]))
    return joined(pieces)


def of_layout(
    device: npt.NDArray[np.int32],
    ts: npt.NDArray[np.datetime64],
    values: npt.NDArray[np.float64],
    metric_ids: npt.NDArray[np.int32],
) -> Readings:
    """The readings of n events that share a layout of k metrics: `values` is (n, k)."""
    k = len(metric_ids)
    return np.tile(device, k), np.repeat(metric_ids.astype(np.int32), len(device)), np.tile(ts, k), values.T.ravel()


def joined(pieces: Sequence[Readings]) -> Readings:
    """All readings of all pieces."""
    if not pieces:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, "datetime64[us]"), np.empty(0)
    device, metric, ts, value = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return device, metric, ts, value
