"""Stored buckets that late data reached are made again, for the devices that it came from."""

import threading
import time

import numpy as np
import psycopg

from aggregation_service.metrics import Metrics
from aggregation_service.rollup import roll_dirty
from aggregation_service.store import Store
from aggregation_service.windows import Dirty, Pace, Repair, Target, repairs
from shared.failpoints import Failpoints

_ENTRIES = 100_000


class Repairer:
    """Empties the dirty log: newest buckets first, a range of time and a set of devices in each transaction."""

    def __init__(self, store: Store, metrics: Metrics, failpoints: Failpoints, chunk_readings: int) -> None:
        self._store = store
        self._metrics = metrics
        self._failpoints = failpoints
        self._pace = Pace(chunk_readings)

    def run(self, stop: threading.Event) -> bool:
        """A round through the log; what is logged meanwhile waits for the next one.

        True: another round should follow at once, after what closed meanwhile is stored.
        """
        levels, dirty = self._store.levels(), self._store.dirty(_ENTRIES)
        found = repairs(levels, dirty)
        for repair in found:
            devices = np.unique(repair.entries.device)
            while len(devices) and not stop.is_set():
                now = devices[: self._pace.step(repair.end - repair.start)]
                devices = devices[len(now) :]
                self._repair(repair, now)
            if stop.is_set():
                return False
        return bool(found) and len(dirty) == _ENTRIES

    def _repair(self, repair: Repair, devices: np.typing.NDArray[np.int64]) -> None:
        started = time.monotonic()
        entries = repair.entries.take(np.isin(repair.entries.device, devices))
        self._store.make_partitions(Target(level.width, repair.start, repair.end) for level in repair.levels)
        self._store.load_layouts(np.unique(entries.layout).tolist())
        try:
            count = self._transaction(repair, entries, devices.tolist(), again=False)
        except psycopg.errors.UniqueViolation:
            count = self._transaction(repair, entries, devices.tolist(), again=True)
        self._pace = self._pace.after(len(devices), repair.end - repair.start, count)
        longest = max(level.width for level in repair.levels)
        self._metrics.transaction_seconds.labels(longest, "late").observe(time.monotonic() - started)
        self._metrics.readings.labels("late").inc(count)

    def _transaction(self, repair: Repair, entries: Dirty, devices: list[int], *, again: bool) -> int:
        """Reads, stores and clears in one snapshot: an event that commits meanwhile has an entry of its own.

        Rows of which all readings came late can't be stored yet, unless a crash or a log that repeats itself says
        otherwise (`again`): they needn't look for what they replace, which makes loading history twice as fast.
        """
        store = self._store
        with store.snapshot():
            readings = store.readings_of_devices(repair.start, repair.end, devices)
            # Rows are replaced by what the raw events say. Once retention takes raw events away, this is the place
            # to merge instead: what came late for a bucket whose raw rows are gone goes on top of the stored row.
            rows = {
                level.width: roll_dirty(readings, level.width, repair.stored(level, entries), store.layouts)
                for level in repair.levels
            }
            self._failpoints.hit("aggregation.repair.before_write")
            known = {width: partials.take(partials.late != partials.count) for width, partials in rows.items()}
            if not again:
                store.insert(
                    {width: partials.take(partials.late == partials.count) for width, partials in rows.items()}
                )
            store.upsert(rows if again else known)
            store.clear_dirty(entries.id.tolist())
            self._failpoints.hit("aggregation.repair.before_commit")
        self._failpoints.hit("aggregation.repair.after_commit")
        for width, partials in rows.items():
            self._metrics.rows.labels(width, "late").inc(len(partials))
        return len(readings[0])
