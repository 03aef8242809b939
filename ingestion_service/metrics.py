"""What the ingestion service tells Prometheus; declared here and nowhere else."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.events import Code

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """One set a process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "ingestion_events_total",
            "Events that were committed, by what became of them: persisted, duplicate (conflicts are among them), "
            "conflict or dead_letter.",
            ["outcome"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "ingestion_dead_letters_total", "Committed dead letters by code.", ["code"], registry=registry
        )
        # What the loop counts per batch, by the name of a span's counter.
        self.outcomes = {
            "persisted": self.events.labels("persisted"),
            "duplicates": self.events.labels("duplicate"),
            "conflicts": self.events.labels("conflict"),
            "dead_letters": self.events.labels("dead_letter"),
        }
        for code in Code:  # from the start, so that a rate sees the first one
            self.dead_letters.labels(code.value)
        self.readings = Counter(
            "ingestion_readings_total", "Values that were stored: several of an event.", registry=registry
        )
        self.received_bytes = Counter(
            "ingestion_received_bytes_total", "Bytes of the values of records that Kafka gave.", registry=registry
        )
        self.late = Counter("ingestion_late_events_total", "Events below the watermark.", registry=registry)
        self.batch_events = Histogram(
            "ingestion_batch_events", "Records in a batch.", registry=registry,
            buckets=(1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 50_000),
        )  # fmt: skip
        self.commit_seconds = Histogram(
            "ingestion_commit_seconds", "From a batch in hand to its COMMIT.", registry=registry, buckets=_SECONDS
        )
        self.copy_seconds = Histogram(
            "ingestion_copy_seconds", "The COPY of a batch's rows, the largest part of its transaction.",
            registry=registry, buckets=_SECONDS,
        )  # fmt: skip
        self.end_to_end_seconds = Histogram(
            "ingestion_end_to_end_seconds",
            "From Kafka's timestamp of a batch's oldest record to its COMMIT: after so long an accepted event is "
            "visible.",
            registry=registry,
            buckets=_SECONDS,
        )
        self.lag = Gauge(
            "ingestion_lag_messages",
            "Records between what is stored and the end of the log, of partitions that this process was given; asked "
            "for every second, of paused and stopped ones too.",
            ["partition"],
            registry=registry,
        )
        self.lag_seconds = Gauge(
            "ingestion_lag_seconds",
            "Age of the oldest record that isn't stored; 0 where nothing waits. It grows while nothing is read.",
            ["partition"],
            registry=registry,
        )
        self.unaccounted = Gauge(
            "ingestion_unaccounted_offsets",
            "Offsets of a partition's open chapter that were read and have no outcome: anything but 0 is a fault.",
            ["partition"],
            registry=registry,
        )
        self.owned = Gauge("ingestion_owned_partitions", "Partitions that this process owns.", registry=registry)
        self.topic_partitions = Gauge(
            "ingestion_topic_partitions", "Partitions that the topic has: all of them should be owned.",
            registry=registry,
        )  # fmt: skip
        self.paused = Gauge(
            "ingestion_paused_partitions", "Partitions that wait for the database, paused.", registry=registry
        )
        self.stopped = Gauge(
            "ingestion_stopped_partitions",
            "Partitions that need an operator, by reason.",
            ["reason"],
            registry=registry,
        )
        self.fenced = Counter(
            "ingestion_fenced_total", "Batches that were dropped: a newer owner has the partition.", registry=registry
        )
        self.retries = Counter(
            "ingestion_database_retries_total", "Database errors that were retried.", registry=registry
        )
        self.database_up = Gauge(
            "ingestion_database_up", "1 while Postgres answers us; 0: it failed, or is silent for 5 s.",
            registry=registry,
        )  # fmt: skip
        self.kafka_up = Gauge("ingestion_kafka_up", "1 while Kafka answers us.", registry=registry)
        self.kafka_up.set(1)  # we start only where it does
        self.relayed = Counter(
            "ingestion_relayed_total", "Acks and dead letters that Kafka has, by topic.", ["topic"], registry=registry
        )
        self.ack_lag = Gauge(
            "ingestion_ack_lag_seconds", "Age of the oldest commit that isn't acknowledged yet.", registry=registry
        )
        self.ack_backlog = Gauge(
            "ingestion_ack_backlog", "Commits of partitions that aren't acknowledged yet.", registry=registry
        )
        self.ack_held = Counter(
            "ingestion_ack_held_seconds_total", "How long batches waited for acks (ACK_BACKLOG_MAX).", registry=registry
        )
