"""What the ingestion service may log; declared here and nowhere else."""

from shared.log_events import LogEvent

EVENTS = (
    LogEvent(
        "partitions_assigned", "info", "The consumer group gave us these partitions; they are claimed next.", "",
        ("partitions",),
    ),
    LogEvent(
        "partition_claimed", "info", "A partition is ours in the database: what is read of it will count.", "",
        ("partition", "epoch", "offset"),
    ),
    LogEvent("partitions_revoked", "info", "The consumer group takes partitions away, to share them anew."),
    LogEvent(
        "partitions_lost", "warning",
        "The group gave our partitions to others without asking: we were silent for a session timeout.",
        "Look for a frozen or starved process if it comes again.",
    ),
    LogEvent(
        "reading_paused", "info", "The writer is busy: nothing more is read until it has room.",
        "Look for `database_away`, or a slow database (ingestion_commit_seconds).", ("partitions",),
    ),
    LogEvent("reading_resumed", "info", "It has room again.", "", ("partitions",)),
    LogEvent(
        "claim_delayed", "warning", "Kafka says nothing about a partition that the group gave us; asked again.",
        "Look whether the partition has a leader.", ("partition", "error"),
    ),
    LogEvent(
        "partition_stopped", "error", "A partition stands still, because going on might lose or double events.",
        "`plumbline offsets` shows why and what can be decided.", ("partition", "reason"),
    ),
    LogEvent(
        "kafka_error", "warning", "Kafka's client reports an error from which it recovers by itself.",
        "Look at the broker if it lasts.", ("error", "partition"),
    ),
    LogEvent(
        "started_again", "error", "Kafka answers others, but not us any more: the process begins from its first line, "
        "and goes on from what is stored.", "If it repeats, look for what cuts connections to brokers.",
        ("reason",),
    ),
    LogEvent(
        "offsets_not_mirrored", "debug", "Kafka didn't take the copy of our offsets that tools read; the database has "
        "the true ones.", "", ("error",),
    ),
    LogEvent(
        "group_not_left", "warning", "Kafka couldn't be told that we go: the others wait for a session timeout.", "",
        ("error",),
    ),
    LogEvent(
        "database_away", "warning", "The database failed; what was read waits, and is tried again.",
        "Look at Postgres: is it up, is its disk full?", ("attempt", "retry_in_s", "sqlstate", "error"),
    ),
    LogEvent(
        "batch_discarded", "warning", "A batch was given up before it was stored; the partition's next owner reads it "
        "again.", "", ("reason",),
    ),
    LogEvent(
        "batch_fenced", "warning", "A newer owner has these partitions: the batch wasn't stored by us.",
        "Nothing, unless it repeats: two processes may then claim in turn.", ("partitions",),
    ),
    LogEvent(
        "transaction_abandoned", "warning", "The last transaction took longer than a stop may; it rolls back, or "
        "commits: the next owner sees which."
    ),
    LogEvent(
        "relay_delayed", "warning", "Acks or dead letters couldn't be published or marked; they wait in the database.",
        "Look at Kafka, Postgres and the topic.", ("stream", "error"),
    ),
    LogEvent(
        "relay_failed", "warning", "Likewise, for a reason that we don't know.",
        "Report it with `plumbline support-bundle`.", ("stream", "error", "trace"),
    ),
    LogEvent(
        "relay_unfinished", "warning", "At the end some were left; the next owner publishes them.", "", ("stream",)
    ),
)  # fmt: skip
