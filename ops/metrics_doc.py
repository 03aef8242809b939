"""`python -m ops.metrics_doc > docs/metrics.md`: every metric of every service, as the services declare them."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

import aggregation_service.metrics
import api_service.gateway.metrics
import api_service.metrics
import api_service.query.metrics
import ingestion_service.metrics
import simulator.metrics

# What a process of each service declares.
SERVICES: dict[str, tuple[Callable[[CollectorRegistry], object], ...]] = {
    "ingestion": (ingestion_service.metrics.Metrics,),
    "aggregation": (aggregation_service.metrics.Metrics,),
    "api": (
        api_service.metrics.Metrics,
        api_service.metrics.ConnectionMetrics,
        api_service.gateway.metrics.GatewayMetrics,
        api_service.query.metrics.QueryMetrics,
        api_service.query.metrics.StreamMetrics,
    ),
    "simulator": (simulator.metrics.Metrics,),
}

# Each label has few values: never a device's, a subject's or an address.
LABELS = {
    "code": "why an event can't be taken: the codes of docs/api.md",
    "fault": "of the simulator's plan: none, late, out-of-order, duplicate, conflict, malformed",
    "kind": "as the metric says",
    "level": "width of a stored bucket in seconds: 60, 3600, 86400 with the default AGGREGATION_LEVELS",
    "method": "of HTTP; others than the usual: other",
    "outcome": "as the metric says",
    "partition": "number of a partition of TOPIC_READINGS",
    "reason": "as the metric says",
    "route": "template of a route, such as /devices/{device_id}; empty: no such route",
    "short": "as the metric says",
    "source": "as the metric says",
    "status": "of HTTP; the simulator's: its class",
    "step": "close or store",
    "topic": "of acks and dead letters",
    "way": "as the metric says",
}

# Whose name doesn't end in its unit.
_UNITS = {
    "aggregation_active": "0 or 1",
    "aggregation_database_up": "0 or 1",
    "aggregation_failures_total": "runs",
    "ingestion_ack_backlog": "commits",
    "ingestion_database_retries_total": "attempts",
    "ingestion_database_up": "0 or 1",
    "ingestion_dead_letters_total": "records",
    "ingestion_fenced_total": "batches",
    "ingestion_kafka_up": "0 or 1",
    "ingestion_lag_messages": "records",
    "ingestion_late_events_total": "events",
    "ingestion_relayed_total": "records",
    "plumbline_api_connections_refused_total": "connections",
    "plumbline_api_database_failures_total": "requests",
    "plumbline_api_jwks_fetches_total": "requests",
    "plumbline_api_questions_waiting": "questions",
    "plumbline_api_stream_dropped_total": "listeners",
    "plumbline_api_token_refusals_total": "tokens",
    "plumbline_api_tokens_issued_total": "tokens",
    "plumbline_gateway_busy_total": "requests",
    "plumbline_gateway_delivery_failures_total": "events",
    "plumbline_gateway_events_in_flight": "events",
    "plumbline_gateway_events_waiting": "events",
    "plumbline_gateway_queue_events_max": "events",
    "simulator_events_sent_total": "events",
    "simulator_http_accepted_total": "events",
    "simulator_http_rejected_total": "events",
    "simulator_http_retries_total": "requests",
    "simulator_records_accepted_total": "records",
    "simulator_records_sent_total": "records",
}


@dataclass(frozen=True, slots=True)
class Declared:
    """A metric as Prometheus knows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def unit(self) -> str:
        """By its name, or as stated above."""
        if self.name.endswith("_timestamp_seconds"):
            return "seconds since 1970"
        return _UNITS.get(self.name) or self.name.removesuffix("_total").rpartition("_")[2]

    @property
    def series(self) -> tuple[str, ...]:
        """The names that a query may use."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


class _Recording(CollectorRegistry):
    """Remembers what registers, labels too."""

    def __init__(self) -> None:
        super().__init__()
        self.declared: list[Declared] = []

    def register(self, collector: Collector) -> None:
        super().register(collector)
        if isinstance(collector, MetricWrapperBase):
            (family,) = collector.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = tuple(collector._labelnames)  # noqa: SLF001  nothing public tells them
            self.declared.append(Declared(name, family.type, labels, family.documentation))


def catalogue(service: str) -> list[Declared]:
    """What a process of the service declares, in its order."""
    registry = _Recording()
    for declare in SERVICES[service]:
        declare(registry)
    return registry.declared


def text() -> str:
    """The whole file."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Metrics"
    yield ""
    yield (
        "Made by `make docs` from what the services declare. Each process serves its own at `/metrics` on "
        "`METRICS_PORT`, with `process_*` (memory, CPU seconds, open files, start time) beside them; a histogram has "
        "`_bucket`, `_sum` and `_count`. Counters with a closed set of labels are there with 0 from the start, so that "
        "`rate()` sees the first increment; a partition's gauges vanish with the partition."
    )
    for service in SERVICES:
        yield from ("", f"## {service}", "", "| metric | type | labels | unit | meaning |", "|---|---|---|---|---|")
        for each in catalogue(service):
            labels = ", ".join(f"`{label}`" for label in each.labels)
            yield f"| `{each.name}` | {each.kind} | {labels} | {each.unit} | {each.meaning.replace('|', '/')} |"
    yield from ("", "## Labels", "", "| label | values |", "|---|---|")
    for label, values in LABELS.items():
        yield f"| `{label}` | {values} |"


if __name__ == "__main__":
    sys.stdout.write(text())
