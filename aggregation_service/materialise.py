"""Closed buckets are stored a first time."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aggregation_service import backlog_store, latest_store
from aggregation_service.metrics import Metrics
from aggregation_service.pace import Pace
from aggregation_service.rollup import roll_targets
from aggregation_service.store import Store
from aggregation_service.team import Team
from aggregation_service.windows import Level, Target, Window, due, next_window, resumed, unlogged
from shared import tracing
from shared.failpoints import Failpoints

_LONG_S = 3_600


@dataclass(frozen=True, slots=True)
class Slice:
    """Devices by id from `first` up to before `last` (None: all that follow); about `devices` of them."""

    first: int
    last: int | None
    devices: int


@dataclass(frozen=True, slots=True)
class Closing:
    """A window; its buckets of the finest level, after which latest events are known; and see windows.unlogged."""

    window: Window
    finest: Target | None
    logged: Target | None


class Materialiser:
    """Stores windows of closed buckets. The team shares a window by slices of devices, a transaction each."""

    def __init__(self, store: Store, team: Team, metrics: Metrics, failpoints: Failpoints, chunk_readings: int) -> None:
        self._store = store
        self._team = team
        self._metrics = metrics
        self._failpoints = failpoints
        self._chunk = chunk_readings

    def next_window(self, below: int | None) -> Window | None:
        """What is to be stored next of the levels that are shorter than `below`; None: nothing."""
        levels = [level for level in self._store.levels() if below is None or level.width < below]
        return next_window(self._skip_emptiness(levels))

    def store(
        self, window: Window, under_way: Sequence[Window], epoch: int, stop: threading.Event, seconds: float
    ) -> Iterator[None]:
        """Stores a window, inside those that are under way; yields where slices are left after so many seconds.

        What is stored moves once all slices have committed. After a crash or `stop` all of them are made again.
        """
        self._store.make_partitions(window.targets)
        levels = self._store.levels()
        closing = Closing(window, window.of(levels[0].width), unlogged(window, levels, under_way))
        pace = Pace(self._chunk, window.end - window.start)

        def do(store: Store, part: Slice) -> None:
            with tracing.child("store closed buckets", attributes={"plumbline.level_seconds": window.longest}):
                pace.learn(part.devices, *self._slice(store, epoch, closing, part))

        slices = self._slices(pace)
        while not self._team.work(slices, do, stop, seconds):
            if stop.is_set():
                return
            yield
        self._failpoints.hit("aggregation.before_until")
        self._store.store_until([(target.width, target.end) for target in window.targets])

    def _skip_emptiness(self, levels: list[Level]) -> list[Level]:
        """Levels that have long to go begin at the first day that has events: nothing is walked where there is none."""
        behind = [lv for lv in due(levels) if lv.until is None or (lv.watermark or 0) - lv.until > _LONG_S]
        if not behind:
            return levels
        known = [level.until for level in behind if level.until is not None]
        oldest = self._store.first_day_with_events(min(known) if len(known) == len(behind) else None)
        moved = {level.width: resumed(level, oldest) for level in behind}
        changed = [moved[lv.width] for lv in behind if moved[lv.width].until != lv.until]
        self._store.store_until([(level.width, level.until) for level in changed if level.until is not None])
        return [moved.get(level.width, level) for level in levels]

    def _slices(self, pace: Pace) -> Iterator[Slice]:
        """All devices: as many at a time as the last slices suggest."""
        first, greatest = self._store.devices()
        while True:
            devices = pace.step(greatest + 1 - first, self._team.size)
            if first + devices > greatest:
                yield Slice(first, None, devices)
                return
            yield Slice(first, first + devices, devices)
            first += devices

    def _slice(self, store: Store, epoch: int, closing: Closing, part: Slice) -> tuple[int, int]:
        """In one transaction; returns how many readings were read and how many rows were made of them."""
        window, finest, logged = closing.window, closing.finest, closing.logged
        started = time.monotonic()
        with store.changing(epoch) as change:
            readings, devices = store.readings_of_range(window.start, window.end, part.first, part.last)
            rows = roll_targets(readings, window.targets)
            self._failpoints.hit("aggregation.before_write")
            change.insert(rows)
            if finest:
                latest_store.keep(store.connection, finest.start, finest.end, devices)
            if logged:
                backlog_store.clear(store.connection, logged.start, logged.end, part.first, part.last)
            self._failpoints.hit("aggregation.before_commit")
        self._failpoints.hit("aggregation.after_commit")
        self._metrics.transaction_seconds.labels(window.longest, "closed").observe(time.monotonic() - started)
        return self._metrics.made("closed", len(devices), readings, rows)
