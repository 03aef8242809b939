"""The simulator's Prometheus metrics."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from shared.events import Code
from simulator.faults import Fault
from simulator.stream import Sent


class Metrics:
    """Declared once; `registry` is what /metrics serves."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "simulator_events_sent",
            "Events handed to the publisher, by planned fault; second copies are not counted again",
            ["fault"],
            registry=registry,
        )
        self.records = Counter("simulator_records_sent", "Records handed to the publisher", registry=registry)
        self.accepted = Counter(
            "simulator_records_accepted", "Records that Kafka or an API has confirmed", registry=registry
        )
        self.behind = Gauge(
            "simulator_behind_seconds", "How far the run is behind its schedule, in seconds", registry=registry
        )
        self.http_requests = Counter(
            "simulator_http_requests",
            "Requests of --http by class of status; none: no answer came",
            ["status"],
            registry=registry,
        )
        self.http_retries = Counter("simulator_http_retries", "Requests that were sent again", registry=registry)
        self.http_accepted = Counter("simulator_http_accepted", "Events that an API accepted", registry=registry)
        self.http_rejected = Counter(
            "simulator_http_rejected", "Events that an API rejected for good", ["code"], registry=registry
        )
        self._spool_events = Gauge("simulator_spool_events", "Events that no API has settled yet", registry=registry)
        self._spool_bytes = Gauge("simulator_spool_bytes", "Bytes of them", registry=registry)
        self._spool_age = Gauge("simulator_spool_age_seconds", "Age of the oldest of them", registry=registry)
        self._before = Sent()
        for fault in Fault:  # from the start, so that a rate sees the first of each
            self.events.labels(fault.label)
        for status in ("2xx", "3xx", "4xx", "5xx", "none"):
            self.http_requests.labels(status)
        for code in Code:
            self.http_rejected.labels(code.value)

    def spool(self, events: Callable[[], float], size: Callable[[], float], age_s: Callable[[], float]) -> None:
        """Where the gauges of the spool come from."""
        self._spool_events.set_function(events)
        self._spool_bytes.set_function(size)
        self._spool_age.set_function(age_s)

    def sent(self, sent: Sent) -> None:
        """Brings the counters up to `sent`."""
        for fault in Fault:
            self.events.labels(fault.label).inc(sent.faults[fault] - self._before.faults[fault])
        self.records.inc(sent.records - self._before.records)
        self._before = sent.copy()
