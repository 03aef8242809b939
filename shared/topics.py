"""The topics of the pipeline; `python -m shared.topics` makes those that are missing."""

import sys
import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from shared import kafka, lifecycle
from shared.errors import PlumblineError, Unavailable
from shared.settings import TopicSettings, command_line, load

# A dead letter is a record as large as the broker takes by default, with more headers.
DEAD_LETTER_BYTES = 2_097_152
ACK_OUTCOMES = ("success", "validation-error", "db-error", "general-error", "default")


def ack_topic(settings: TopicSettings, outcome: str) -> str:
    """The topic of acks with this outcome, one of ACK_OUTCOMES."""
    return f"{settings.topic_acks_prefix}.{outcome}"


def ensure(settings: TopicSettings, timeout_s: float = 30.0) -> list[str]:
    """Makes the topics that are missing and returns their names once all have leaders; existing ones stay as they are.

    Raises:
        Unavailable: no broker answered, or a partition got no leader in time.
        PlumblineError: a topic was refused.
    """
    kafka.wait_ready(settings, timeout_s)
    names = [settings.topic_readings, settings.topic_dead_letters]
    names += [ack_topic(settings, outcome) for outcome in ACK_OUTCOMES]
    client = kafka.admin(settings)
    existing = client.list_topics(timeout=timeout_s).topics
    created = [name for name in names if name not in existing and _created(client, settings, name, timeout_s)]
    deadline = time.monotonic() + timeout_s
    # The broker confirms a topic before its own metadata shows it and its leaders.
    while not _served(client, names):
        if time.monotonic() >= deadline:
            raise Unavailable(f"topics have no leaders within {timeout_s:.0f} s → see the broker's log")
        time.sleep(0.05)
    return created


def _created(client: AdminClient, settings: TopicSettings, name: str, timeout_s: float) -> bool:
    """Makes the topic; False if somebody else was faster."""
    topic = NewTopic(
        name,
        num_partitions=settings.topic_partitions,
        replication_factor=settings.topic_replication_factor,
        config={"compression.type": "producer"}
        | ({"max.message.bytes": str(DEAD_LETTER_BYTES)} if name == settings.topic_dead_letters else {}),
    )
    try:
        client.create_topics([topic], operation_timeout=timeout_s)[name].result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise PlumblineError(f"topic {name}: {error.args[0].str()} → check TOPIC_* and the broker") from None
    return True


def _served(client: AdminClient, names: list[str]) -> bool:
    """Whether every partition of these topics has a leader."""
    known = client.list_topics(timeout=10).topics
    return all(
        name in known and known[name].partitions and all(p.leader >= 0 for p in known[name].partitions.values())
        for name in names
    )


def main() -> int:
    """Makes what is missing and prints its names."""
    parser = command_line(
        TopicSettings,
        "shared.topics",
        "Makes the pipeline's topics that are missing.",
        "TOPIC_PARTITIONS=12 python -m shared.topics",
    )
    parser.parse_args()
    created = ensure(load(TopicSettings))
    sys.stdout.write("".join(f"created {name}\n" for name in created) or "all there\n")
    return 0


if __name__ == "__main__":
    lifecycle.run(main)
