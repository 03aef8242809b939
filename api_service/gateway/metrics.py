"""Metrics of the gateway."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class GatewayMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "plumbline_gateway_events_total",
            "Events that came over HTTP, by outcome: accepted (Kafka has it), unconfirmed (answered with 503), "
            "or the code of its rejection",
            ("outcome",),
            registry=registry,
        )
        self.in_flight = Gauge(
            "plumbline_gateway_events_in_flight",
            "Events that were handed to Kafka and not confirmed yet",
            registry=registry,
        )
        self.held_bytes = Gauge(
            "plumbline_gateway_held_bytes", "Bytes of the bodies of requests under way", registry=registry
        )
        self.busy = Counter(
            "plumbline_gateway_busy_total",
            "Requests turned away with 503 at once, by what was short: bytes, events, stalled (Kafka is silent), away",
            ("short",),
            registry=registry,
        )
        self.failures = Counter(
            "plumbline_gateway_delivery_failures_total",
            "Events that Kafka didn't take, by librdkafka's name of the reason",
            ("reason",),
            registry=registry,
        )
