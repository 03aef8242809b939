"""Events → readings."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Readings = tuple[
    npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.datetime64], npt.NDArray[np.float64]
]  # device, metric, ts, value


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
