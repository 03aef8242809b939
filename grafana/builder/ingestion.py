"""From Kafka to Postgres: how much, how fast, how far behind, and what was refused."""

from grafana.builder import alerts
from grafana.builder.board import Board, Row, label_choice
from grafana.builder.panels import Limits, number, series, spread
from grafana.builder.queries import over_time, quantiles
from grafana.builder.queries import spread as counted

_OF = '{partition=~"$partition"}'


def board() -> Board:
    says = "Which of the topic's partitions to show; the rest of the figures are of all of them."
    partition = label_choice("partition", "Partition", "ingestion_lag_messages", says)
    return Board(
        "ingestion",
        "Plumbline / Ingestion",
        "From Kafka to Postgres: how much, how fast, how far behind, and what was refused.",
        [_now(), _flow(), _speed(), _behind(), _refused(), _acks()],
        [partition],
    )


def _now() -> Row:
    return Row("Now", [
        number(
            "Events",
            "Events committed a second, whatever became of them. As many as come: a figure that falls while devices "
            "send is trouble.",
            over_time('sum(rate(ingestion_events_total{outcome!="conflict"}[$__rate_interval]))'),
            unit="eps",
        ),
        number(
            "Records that wait",
            "Between what is stored and the end of the log. Bursts come and go; growing for minutes: too slow.",
            over_time("sum(ingestion_lag_messages)"),
            unit="short",
            limits=alerts.above(look="PlumblineLagGrowing"),
        ),
        number(
            "Oldest record that waits",
            "How long ago Kafka got it. Normally below a second.",
            over_time("max(ingestion_lag_seconds)"),
            unit="s",
            limits=alerts.above(act="PlumblineEventsNotVisible"),
        ),
        number(
            "Partitions paused",
            "They wait for the database and go on by themselves. Normally 0.",
            over_time("sum(ingestion_paused_partitions)"),
            unit="none",
            limits=Limits(look=1),
        ),
        number(
            "Partitions stopped",
            "They need an operator's decision (plumbline offsets). Always 0.",
            over_time("sum(ingestion_stopped_partitions) or vector(0)"),
            unit="none",
            limits=alerts.counted(act="PlumblinePartitionStopped"),
        ),
        number(
            "Unaccounted events",
            "Read, and neither stored, nor a duplicate, nor a dead letter: the loss identity. Always 0.",
            over_time("sum(abs(ingestion_unaccounted_offsets))"),
            unit="none",
            limits=alerts.counted(act="PlumblineEventsUnaccounted"),
        ),
    ])  # fmt: skip


def _flow() -> Row:
    return Row("Flow", [
        series(
            "Events by outcome",
            "persisted: stored. duplicate: known already, with the same values or others (conflict is among them). "
            "dead_letter: refused, and kept as it came. Mostly persisted.",
            over_time("sum by (outcome) (rate(ingestion_events_total[$__rate_interval]))", "{{outcome}}"),
            unit="eps",
        ),
        series(
            "Readings",
            "Values stored a second: several of an event.",
            over_time("sum(rate(ingestion_readings_total[$__rate_interval]))", "readings"),
            unit="cps",
        ),
        series(
            "Bytes from Kafka",
            "Of the records' values. With the events it tells the size of one.",
            over_time("sum(rate(ingestion_received_bytes_total[$__rate_interval]))", "received"),
            unit="Bps",
        ),
        spread(
            "Records in a batch",
            "How many went into one transaction. Small batches: there is little to do. Full ones: it is catching up.",
            counted("ingestion_batch_events"),
            unit="short",
        ),
    ])  # fmt: skip


def _speed() -> Row:
    return Row("Speed", [
        series(
            "Accepted to visible",
            "From Kafka's timestamp of a batch's oldest record to its COMMIT: after so long an event is in every "
            "answer. Normally below a second.",
            quantiles("ingestion_end_to_end_seconds"),
            unit="s",
            limits=Limits(look=alerts.within("PlumblineEventsSlow")),
        ),
        spread(
            "Accepted to visible, spread",
            "The same, each batch counted: a second cloud above the first one means that some partitions are slower.",
            counted("ingestion_end_to_end_seconds"),
            unit="s",
        ),
        series(
            "COMMIT",
            "From a batch in hand to its COMMIT: decoding, the whole transaction, and waiting for the disk.",
            quantiles("ingestion_commit_seconds"),
            unit="s",
        ),
        series(
            "COPY",
            "Of it, the COPY of the batch's rows. Far below COMMIT: the disk or a lock is slow, not the rows.",
            quantiles("ingestion_copy_seconds"),
            unit="s",
        ),
    ])  # fmt: skip


def _behind() -> Row:
    return Row("How far behind", [
        series(
            "Records that wait, by partition",
            "Between what is stored and the end of the log. One partition above all: a hot key, or it is paused.",
            over_time(f"sum by (partition) (ingestion_lag_messages{_OF})", "partition {{partition}}"),
            unit="short",
        ),
        series(
            "Oldest record that waits, by partition",
            "It grows by a second a second while nothing is read of a partition.",
            over_time(f"max by (partition) (ingestion_lag_seconds{_OF})", "partition {{partition}}"),
            unit="s",
            limits=alerts.above(act="PlumblineEventsNotVisible"),
        ),
        series(
            "Partitions by process",
            "Who reads how many. All together: the topic's; less for a moment, while they change hands.",
            [
                over_time("sum by (instance) (ingestion_owned_partitions)", "{{instance}}"),
                over_time("max(ingestion_topic_partitions)", "of the topic"),
            ],
            unit="none",
        ),
        series(
            "Unaccounted events, by partition",
            "Read and without an outcome in a partition's books. Anything but 0 is a fault: see the runbook.",
            over_time(f"sum by (partition) (ingestion_unaccounted_offsets{_OF})", "partition {{partition}}"),
            unit="none",
            limits=alerts.counted(act="PlumblineEventsUnaccounted"),
        ),
    ])  # fmt: skip


def _refused() -> Row:
    return Row("What was refused, retried, late", [
        series(
            "Dead letters by code",
            "What could not be taken, and why: `plumbline dlq list` shows them. A new code, or much of one: a device "
            "or a gateway sends something that it didn't before.",
            over_time("sum by (code) (rate(ingestion_dead_letters_total[$__rate_interval]))", "{{code}}"),
            unit="eps",
        ),
        series(
            "Late events",
            "Below the watermark: stored at once, and counted into the statistics by the aggregator's next run.",
            over_time("sum(rate(ingestion_late_events_total[$__rate_interval]))", "late"),
            unit="eps",
        ),
        series(
            "Batches dropped and retried",
            "fenced: another process has the partition, and does the batch again. retried: the database refused for a "
            "moment. Neither loses an event; both should be rare.",
            [
                over_time("sum(increase(ingestion_fenced_total[$__rate_interval]))", "fenced"),
                over_time("sum(increase(ingestion_database_retries_total[$__rate_interval]))", "retried"),
            ],
            unit="none",
        ),
        series(
            "Servers answer",
            "1: Postgres, Kafka answer; 0: they don't, and ingestion waits.",
            [
                over_time("min(ingestion_database_up)", "Postgres"),
                over_time("min(ingestion_kafka_up)", "Kafka"),
            ],
            unit="bool_yes_no",
        ),
    ])  # fmt: skip


def _acks() -> Row:
    return Row("Acks", [
        series(
            "Age of the oldest commit without an ack",
            "Acks follow commits within a second or two; they wait while Kafka is away, and none is lost.",
            over_time("max(ingestion_ack_lag_seconds)", "oldest"),
            unit="s",
            limits=alerts.above(look="PlumblineAcksBehind"),
            width=8,
        ),
        series(
            "Commits without an ack, and what waits for them",
            "Over ACK_BACKLOG_MAX ingestion waits: the seconds a second that it did are `held`.",
            [
                over_time("sum(ingestion_ack_backlog)", "backlog"),
                over_time("sum(rate(ingestion_ack_held_seconds_total[$__rate_interval]))", "held"),
            ],
            unit="short",
            width=8,
        ),
        series(
            "Published, by topic",
            "Acks and dead letters that Kafka has.",
            over_time("sum by (topic) (rate(ingestion_relayed_total[$__rate_interval]))", "{{topic}}"),
            unit="eps",
            width=8,
        ),
    ])  # fmt: skip
