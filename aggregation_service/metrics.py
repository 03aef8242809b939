"""What the aggregation service tells Prometheus; declared here and nowhere else."""

import time
from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from aggregation_service.windows import Level
from shared.statistics import Partials
from shared.statistics.readings import Readings

_REASONS = ("closed", "late")
_SPARSE = 8  # so many places for each row: sorting is cheaper
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """One set a process. `level` is a width in seconds; `reason` is closed (a first time) or late (again)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.run_seconds = Histogram("aggregation_run_seconds", "A whole run.", registry=registry, buckets=_SECONDS)
        self.transaction_seconds = Histogram(
            "aggregation_transaction_seconds",
            "From reading events to the COMMIT of what was made of them, by the longest level among it.",
            ["level", "reason"],
            registry=registry,
            buckets=_SECONDS,
        )
        self.readings = Counter(
            "aggregation_readings_total", "Readings read from events.", ["reason"], registry=registry
        )
        self.rows = Counter(
            "aggregation_rows_total",
            "Rows of statistics stored: a bucket of a device's metric each.",
            ["level", "reason"],
            registry=registry,
        )
        self.buckets = Counter(
            "aggregation_buckets_total",
            "Buckets of a device that were stored, whatever the number of its metrics.",
            ["level", "reason"],
            registry=registry,
        )
        self.devices = Counter(
            "aggregation_devices_total",
            "Devices whose statistics were stored, each once a transaction.",
            ["reason"],
            registry=registry,
        )
        self.width = Gauge("aggregation_level_seconds", "Width of the level's buckets.", ["level"], registry=registry)
        self.watermark_age = Gauge(
            "aggregation_watermark_age_seconds", "Behind the clock: buckets before are closed.", ["level"],
            registry=registry,
        )  # fmt: skip
        self.stored_age = Gauge(
            "aggregation_stored_age_seconds", "Behind the clock: buckets before are stored.", ["level"],
            registry=registry,
        )  # fmt: skip
        self.overdue = Gauge(
            "aggregation_overdue_seconds",
            "How long ago the next bucket should have been closed (step: close) or stored (step: store): since its end "
            "and AGGREGATION_DELAY_SECONDS; 0: it isn't due. An interval between runs and the work itself are usual.",
            ["level", "step"],
            registry=registry,
        )
        self.dirty = Gauge(
            "aggregation_dirty_entries",
            "Late data that isn't in the statistics: a bucket of a device's layout each; over 100,000 an estimate.",
            registry=registry,
        )
        self.dirty_age = Gauge(
            "aggregation_dirty_age_seconds", "How long the oldest of it has waited; 0: none waits.", registry=registry
        )
        self.fleet_age = Gauge(
            "aggregation_fleet_age_seconds", "Behind the clock: buckets before are stored across devices.", ["level"],
            registry=registry,
        )  # fmt: skip
        self.fleet_stale = Gauge(
            "aggregation_fleet_stale_rows",
            "Rows across devices that late data changed and that wait to be made again; 5,000 at most are counted.",
            registry=registry,
        )
        self.last_success = Gauge(
            "aggregation_last_success_timestamp_seconds", "When a run last ended well.", registry=registry
        )
        self.my_turn = Gauge(
            "aggregation_active", "1 while this process does the work, 0 while another does.", registry=registry
        )
        self.failures = Counter(
            "aggregation_failures_total", "Runs that the database ended and that are tried again.", registry=registry
        )
        self.database_up = Gauge(
            "aggregation_database_up", "0 while Postgres doesn't answer: the last run failed for it.", registry=registry
        )
        self.database_up.set(1)  # we start only where it does

    def expect(self, widths: Iterable[int]) -> None:
        """These levels are counted from 0 on, so that a rate sees the first of each."""
        widths = list(widths)
        for reason in _REASONS:
            self.readings.labels(reason)
            self.devices.labels(reason)
            for width in widths:
                for metric in (self.transaction_seconds, self.rows, self.buckets):
                    metric.labels(width, reason)

    def made(self, reason: str, devices: int, readings: Readings, rows: Mapping[int, Partials]) -> tuple[int, int]:
        """Counts what a transaction read of so many devices and the rows, by level, that it made.

        Returns the numbers of both.
        """
        self.devices.labels(reason).inc(devices)
        self.readings.labels(reason).inc(len(readings[0]))
        for width, partials in rows.items():
            self.rows.labels(width, reason).inc(len(partials))
            self.buckets.labels(width, reason).inc(_buckets(width, partials))
        return len(readings[0]), sum(map(len, rows.values()))

    def stands(self, level: Level, delay_seconds: float) -> None:
        """Where a level is. The clock goes on by itself: whoever asks while a run hangs hears the truth."""
        self.width.labels(level.width).set(level.width)
        late = level.width + delay_seconds
        for step, moment, age in (
            ("close", level.watermark, self.watermark_age), ("store", level.until, self.stored_age)
        ):  # fmt: skip
            if moment is not None:
                age.labels(level.width).set_function(partial(_since, moment))
                self.overdue.labels(level.width, step).set_function(partial(_since, moment + late))

    def fleet(self, width: int, until: int) -> None:
        """Rows across devices are complete before `until` (epoch seconds)."""
        self.fleet_age.labels(width).set_function(partial(_since, until))

    def waits(self, entries: int, oldest_seconds: float) -> None:
        """How much late data waits, the oldest for so long."""
        self.dirty.set(entries)
        logged_at = time.time() - oldest_seconds
        self.dirty_age.set_function(partial(_since, logged_at) if entries else float)

    def rests(self) -> None:
        """Another process has the turn: it tells how things stand."""
        for gauge in (self.width, self.watermark_age, self.stored_age, self.overdue, self.fleet_age):
            gauge.clear()
        self.waits(0, 0.0)
        self.fleet_stale.set(0)


def _since(moment: float) -> float:
    return max(0.0, time.time() - moment)


def _buckets(width: int, partials: Partials) -> int:
    """How many (device, bucket) there are."""
    if not len(partials):
        return 0
    number = partials.bucket.astype(np.int64) // (width * 1_000_000)
    number -= number.min()
    device = np.cumsum(np.diff(partials.device, prepend=partials.device[0]) != 0)  # rows are sorted by device
    buckets = int(number.max()) + 1
    key = device * buckets + number
    if len(partials) * _SPARSE < (device[-1] + 1) * buckets:
        return len(np.unique(key))
    return int(np.count_nonzero(np.bincount(key)))
