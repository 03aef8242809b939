"""Metrics of the query module."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class QueryMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        questions = Counter(
            "plumbline_api_questions_total",
            "Questions for statistics by the way they were answered: desk (with others, in one snapshot) or walk "
            "(alone: a page of a large answer, or of the whole fleet)",
            ("way",),
            registry=registry,
        )
        rows = Counter(
            "plumbline_api_rows_total",
            "Rows of statistics that the desk answered with, empty buckets too, by where they came from: memory or "
            "database",
            ("source",),
            registry=registry,
        )
        self.desk, self.walk = questions.labels("desk"), questions.labels("walk")
        self.remembered, self.read = rows.labels("memory"), rows.labels("database")
        self.memory_bytes = Gauge(
            "plumbline_api_memory_bytes", "Bytes of remembered rows; at most STATS_CACHE_BYTES", registry=registry
        )
        self.waiting = Gauge(
            "plumbline_api_questions_waiting", "Questions that wait for their turn at the desk", registry=registry
        )


class StreamMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.listeners = Gauge("plumbline_api_stream_listeners", "Open answers of /stats/stream", registry=registry)
        self.dropped = Counter(
            "plumbline_api_stream_dropped_total",
            "Listeners of /stats/stream that were dropped as they didn't read what waited for them",
            registry=registry,
        )
        self.round_seconds = Histogram(
            "plumbline_api_stream_round_seconds",
            "Time in seconds to look for changes of all questions that are listened to, once each",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
            registry=registry,
        )
