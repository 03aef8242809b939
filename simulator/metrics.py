"""The simulator's Prometheus metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge

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
        self.behind = Gauge(
            "simulator_behind_seconds", "How far the run is behind its schedule, in seconds", registry=registry
        )
        self._before = Sent()

    def sent(self, sent: Sent) -> None:
        """Brings the counters up to `sent`."""
        for fault in Fault:
            self.events.labels(fault.label).inc(sent.faults[fault] - self._before.faults[fault])
        self.records.inc(sent.records - self._before.records)
        self._before = sent.copy()
