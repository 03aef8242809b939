"""Metrics of the gateway."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.events import Code

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class GatewayMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "plumbline_gateway_events_total",
            "Events that came over HTTP, by outcome: accepted (Kafka has it), unconfirmed (answered with 503), "
            "or the code of its rejection",
            ("outcome",),
            registry=registry,
        )
        self.waiting = Gauge("plumbline_gateway_events_waiting", "Events that weren't judged yet", registry=registry)
        self.in_flight = Gauge(
            "plumbline_gateway_events_in_flight",
            "Events that were handed to Kafka and not confirmed yet",
            registry=registry,
        )
        self.queue_events = Gauge(
            "plumbline_gateway_queue_events_max",
            "GATEWAY_QUEUE_EVENTS: beyond so many events, waiting and in flight, requests are turned away",
            registry=registry,
        )
        self.confirm_seconds = Histogram(
            "plumbline_gateway_confirm_seconds",
            "From a request's events in hand to Kafka's confirmation of all of them; of those that it confirmed",
            buckets=_SECONDS,
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
        for outcome in ("accepted", "unconfirmed", "forbidden_device", *Code):
            self.events.labels(str(outcome))
        for short in ("bytes", "events", "stalled", "away"):
            self.busy.labels(short)
