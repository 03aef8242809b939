"""One look at a stack: asks its parts, the database, Kafka, the services' metrics and Prometheus."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from deploy import parts as stack
from deploy.local import environment
from deploy.local.status import Part
from ops import alerts as prometheus
from ops import broker, scrape, store
from ops.alerts import Alert
from ops.scrape import Samples
from ops.status.store import Counted, counted
from shared.errors import PlumblineError

T = TypeVar("T")

HOUR = timedelta(hours=1)
READ_S = 2.0  # for the first records that wait


@dataclass(frozen=True)
class Kafka:
    """What Kafka says of the readings topic. `lag_seconds`: how long the oldest record that isn't stored has waited,
    None where that can't be said; `records_hour`: records of the last hour."""

    lag: int
    lag_seconds: float | None
    records_hour: int


@dataclass(frozen=True)
class Look:
    """What was seen. `away`: by source, why it could not be asked; `at` is monotonic seconds."""

    at: float
    parts: Sequence[Part]
    database: Counted | None
    kafka: Kafka | None
    metrics: Mapping[str, Samples]
    alerts: Sequence[Alert] | None
    away: Mapping[str, str] = field(default_factory=dict)


def look(home: Path) -> Look:
    """Ask everything that runs; what doesn't answer is named, and the rest is there."""
    values, parts = environment.read(home), stack.parts(home)
    asking = _Asking(parts)
    at = time.monotonic()
    database = asking.ask("postgres", partial(_counted, values))
    return Look(
        at=at,
        parts=parts,
        database=database,
        kafka=asking.ask("kafka", partial(_kafka, values)) if database else None,
        metrics={
            name: samples
            for name in ("ingestion", "aggregation", "api")
            if (samples := asking.ask(name, partial(_scraped, name, values))) is not None
        },
        alerts=asking.ask("prometheus", partial(prometheus.read, values)),
        away=asking.away,
    )


class _Asking:
    """Asks the parts that answer, and notes why the others can't be asked."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = {part.name: part for part in parts}
        self.away: dict[str, str] = {}

    def ask(self, name: str, question: Callable[[], T]) -> T | None:
        part = self._parts[name]
        if part.state in ("stopped", "not answering"):
            self.away[name] = part.problem or part.state
            return None
        try:
            return question()
        except PlumblineError as error:
            self.away[name] = str(error)
            return None


def _counted(values: Mapping[str, str]) -> Counted:
    with store.snapshot(values) as connection:
        return counted(connection)


def _scraped(name: str, values: Mapping[str, str]) -> Samples:
    return scrape.parse(*scrape.read(values[f"METRICS_URL_{name.upper()}"]).values())


def _kafka(values: Mapping[str, str]) -> Kafka:
    with broker.connect(values) as kafka, store.snapshot(values) as connection:
        ends, read = kafka.watermarks(kafka.partitions()), store.offsets(connection)
        now = store.now(connection)
        waiting = {
            partition: max(low, read.get(partition, low))
            for partition, (low, high) in ends.items()
            if high > read.get(partition, low)
        }
        written = kafka.written_at(waiting, READ_S) if waiting else {}
        begins = kafka.offsets_at(list(ends), now - HOUR)
    ages = [(now - when).total_seconds() for when in written.values()]
    return Kafka(
        lag=broker.lag(ends, read),
        lag_seconds=max(0.0, *ages) if ages else (None if waiting else 0.0),
        records_hour=sum(high - max(low, begins[partition]) for partition, (low, high) in ends.items()),
    )
