"""What the aggregation service tells Prometheus; declared here and nowhere else."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.statistics import Partials
from shared.statistics.readings import Readings

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
        self.watermark_age = Gauge(
            "aggregation_watermark_age_seconds", "Behind the clock: buckets before are closed.", ["level"],
            registry=registry,
        )  # fmt: skip
        self.stored_age = Gauge(
            "aggregation_stored_age_seconds", "Behind the clock: buckets before are stored.", ["level"],
            registry=registry,
        )  # fmt: skip
        self.dirty = Gauge(
            "aggregation_dirty_entries",
            "Late data that isn't in the statistics: a bucket of a device's layout each; over 100,000 an estimate.",
            registry=registry,
        )
        self.dirty_age = Gauge(
            "aggregation_dirty_age_seconds", "How long the oldest of it has waited.", registry=registry
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

    def made(self, reason: str, readings: Readings, rows: Mapping[int, Partials]) -> tuple[int, int]:
        """Counts what a transaction read and the rows, by level, that it made; returns both numbers."""
        self.readings.labels(reason).inc(len(readings[0]))
        for width, partials in rows.items():
            self.rows.labels(width, reason).inc(len(partials))
        return len(readings[0]), sum(map(len, rows.values()))
