"""Stored buckets that late data reached are made again, for the devices that it came from."""

import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np

from aggregation_service import backlog_store, latest_store
from aggregation_service.lateness import Repair, repairs, spans
from aggregation_service.metrics import Metrics
from aggregation_service.pace import Pace
from aggregation_service.rollup import roll_dirty
from aggregation_service.store import Store
from aggregation_service.team import Team
from aggregation_service.windows import Target, Window
from shared import tracing
from shared.failpoints import Failpoints

_ROUND = 100_000  # buckets of a device: what is looked at together, and held in memory


class Repairer:
    """Empties the dirty log: newest buckets first. The team shares a range of time by devices, a transaction each."""

    def __init__(self, store: Store, team: Team, metrics: Metrics, failpoints: Failpoints, chunk_readings: int) -> None:
        self._store = store
        self._team = team
        self._metrics = metrics
        self._failpoints = failpoints
        self._chunk = chunk_readings

    def run(self, epoch: int, under_way: Sequence[Window], stop: threading.Event, seconds: float) -> bool:
        """A round through the log, of about so many seconds; what is logged meanwhile waits for the next one.

        True: another round should follow at once, after what closed meanwhile is stored.
        """
        deadline = time.monotonic() + seconds
        levels = self._store.levels()
        waiting = backlog_store.waiting(self._store.connection, spans(levels, under_way), _ROUND)
        found = repairs(levels, waiting, under_way)
        for repair in found:
            # One range after the other: two that change the same device at once would be in each other's way.
            if not self._range(epoch, repair, stop, deadline - time.monotonic()):
                return not stop.is_set()
        return bool(found) and len(waiting) == _ROUND

    def _range(self, epoch: int, repair: Repair, stop: threading.Event, seconds: float) -> bool:
        self._store.make_partitions(Target(level.width, repair.start, repair.end) for level in repair.levels)
        pace = Pace(self._chunk, repair.end - repair.start)

        def do(store: Store, devices: list[int]) -> None:
            with tracing.child("store late data", attributes={"plumbline.devices": len(devices)}):
                pace.learn(len(devices), *self._repair(store, epoch, repair, devices))

        return self._team.work(self._sets(repair, pace), do, stop, seconds)

    def _sets(self, repair: Repair, pace: Pace) -> Iterator[list[int]]:
        """The devices, as many at a time as the last transactions suggest."""
        first = 0
        while first < len(repair.devices):
            last = first + pace.step(len(repair.devices) - first, self._team.size)
            yield repair.devices[first:last].tolist()
            first = last

    def _repair(self, store: Store, epoch: int, repair: Repair, devices: list[int]) -> tuple[int, int]:
        """Reads, stores and clears in one snapshot: an event that commits meanwhile has an entry of its own.

        Returns how many readings were read and how many rows were made of them.
        """
        started = time.monotonic()
        with store.changing(epoch) as change:
            entries = backlog_store.take(store.connection, repair.start, repair.end, devices)
            store.load_layouts(np.unique(entries.layout).tolist())
            readings = store.readings_of_devices(repair.start, repair.end, devices)
            # Rows are replaced by what the raw events say. Once retention takes raw events away, this is the place
            # to merge instead: what came late for a bucket whose raw rows are gone goes on top of the stored row.
            rows = {
                level.width: roll_dirty(readings, level.width, entries.before(level), store.layouts)
                for level in repair.levels
            }
            self._failpoints.hit("aggregation.repair.before_write")
            change.replace(rows)
            latest_store.keep(store.connection, repair.start, repair.end, devices)
            self._failpoints.hit("aggregation.repair.before_commit")
        self._failpoints.hit("aggregation.repair.after_commit")
        longest = max(level.width for level in repair.levels)
        self._metrics.transaction_seconds.labels(longest, "late").observe(time.monotonic() - started)
        return self._metrics.made("late", len(devices), readings, rows)
