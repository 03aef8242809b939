"""Metrics of the questions for statistics."""

from prometheus_client import CollectorRegistry, Counter, Gauge


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
