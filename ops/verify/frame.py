"""What a snapshot holds: which buckets there are to judge, and the readings behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ops.moments import at
from ops.store import Connection
from ops.verify import store
from ops.verify.comparison import Readings
from ops.verify.draws import DAY, SECOND
from ops.verify.store import Piece, Span
from shared.statistics import unpack


@dataclass(frozen=True, slots=True)
class Frame:
    """What the snapshot holds. `levels`, `fleet`: what of each level is stored, of devices and across them; times: µs.

    `days`: those that have events and meet [start, end), in order. Buckets that meet [start, end) are looked at.
    """

    start: int
    end: int
    days: Sequence[int]
    levels: Mapping[int, Span]
    fleet: Mapping[int, Span]
    devices: Mapping[int, str]
    metrics: Mapping[int, str]
    layouts: Mapping[int, npt.NDArray[np.int32]]

    def covers(self, level: int, stored: Span, bucket: int) -> bool:
        """Whether a bucket is stored, and within what is looked at."""
        end = bucket + level * SECOND
        return stored[0] <= bucket and end <= stored[1] and bucket < self.end and end > self.start

    def piece(self, start: int, end: int, devices: Sequence[int]) -> Piece:
        """All metrics of some devices on [start, end)."""
        return Piece(at(start), at(end), devices, list(self.metrics))


def frame(connection: Connection, start: int | None, end: int | None, newest_days: int | None) -> Frame:
    """The frame of the connection's snapshot; None: no bound."""
    low, high = -(2**62) if start is None else start, 2**62 if end is None else end
    days = [day for day in store.event_days(connection) if day < high and day + DAY > low]
    devices, metrics = store.names(connection)
    return Frame(
        low, high, days if newest_days is None else days[-newest_days:],
        store.materialized(connection), store.fleet(connection),
        devices, metrics, store.layouts(connection),
    )  # fmt: skip


def readings(connection: Connection, known: Frame, piece: Piece) -> Readings:
    """The piece's events, reading by reading."""
    device, metric, ts, value = unpack(store.packed_events(connection, piece), known.layouts)
    return Readings(device.astype(np.int64), metric.astype(np.int64), ts.astype(np.int64), value)
