"""Closed buckets are stored a first time."""

import threading
import time

import psycopg

from aggregation_service.metrics import Metrics
from aggregation_service.rollup import roll_targets
from aggregation_service.store import Store
from aggregation_service.windows import Level, Pace, Target, Window, due, next_window, resumed, unlogged
from shared.failpoints import Failpoints

_LONG_S = 3_600


class Materialiser:
    """Stores closed buckets window by window, a window by slices of devices, each slice in a transaction."""

    def __init__(self, store: Store, metrics: Metrics, failpoints: Failpoints, chunk_readings: int) -> None:
        self._store = store
        self._metrics = metrics
        self._failpoints = failpoints
        self._pace = Pace(chunk_readings)

    def run(self, stop: threading.Event) -> None:
        """Until all closed buckets are stored, or `stop`."""
        while not stop.is_set():
            levels = self._skip_emptiness(self._store.levels())
            window = next_window(levels)
            if window is None:
                return
            self._store.make_partitions(window.targets)
            self._window(window, unlogged(window, levels), stop)

    def _skip_emptiness(self, levels: list[Level]) -> list[Level]:
        """Levels that have long to go begin at the first day that has events: nothing is walked where there is none."""
        behind = [lv for lv in due(levels) if lv.until is None or (lv.watermark or 0) - lv.until > _LONG_S]
        if not behind:
            return levels
        known = [level.until for level in behind if level.until is not None]
        oldest = self._store.first_day_with_events(min(known) if len(known) == len(behind) else None)
        moved = {level.width: resumed(level, oldest) for level in behind}
        changed = [moved[lv.width] for lv in behind if moved[lv.width].until != lv.until]
        with self._store.snapshot():
            self._store.store_until([(level.width, level.until) for level in changed if level.until is not None])
        return [moved.get(level.width, level) for level in levels]

    def _window(self, window: Window, logged: Target | None, stop: threading.Event) -> None:
        """All devices of a window. A slice that a crash or `stop` left behind is made again with the rest."""
        seconds = window.end - window.start
        first: int | None = 0
        end = self._store.last_device() + 1
        while first is not None and not stop.is_set():
            devices = self._pace.step(seconds)
            last = first + devices if first + devices < end else None
            started = time.monotonic()
            try:
                count = self._slice(window, logged, first, last, again=False)
            except psycopg.errors.UniqueViolation:
                count = self._slice(window, logged, first, last, again=True)
            self._pace = self._pace.after((last or end) - first, seconds, count)
            longest = max(target.width for target in window.targets)
            self._metrics.transaction_seconds.labels(longest, "closed").observe(time.monotonic() - started)
            self._metrics.readings.labels("closed").inc(count)
            first = last

    def _slice(self, window: Window, logged: Target | None, first: int, last: int | None, *, again: bool) -> int:
        """The window's buckets of a range of devices in one transaction; the last range moves what is stored."""
        store = self._store
        with store.snapshot():
            readings = store.readings_of_range(window.start, window.end, first, last)
            rows = roll_targets(readings, window.targets)
            self._failpoints.hit("aggregation.before_write")
            if again:
                store.upsert(rows)
            else:
                store.insert(rows)
            if logged:
                store.clear_dirty_range(logged.start, logged.end, first, last)
            if last is None:
                store.store_until([(target.width, target.end) for target in window.targets])
            self._failpoints.hit("aggregation.before_commit")
        self._failpoints.hit("aggregation.after_commit")
        for width, partials in rows.items():
            self._metrics.rows.labels(width, "closed").inc(len(partials))
        return len(readings[0])
