"""The topics of the pipeline; `python -m shared.topics` makes those that are missing."""

import argparse
import sys

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from shared import kafka, lifecycle
from shared.errors import PlumblineError
from shared.settings import TopicSettings, help_text, load

ACK_OUTCOMES = ("success", "validation-error", "db-error", "general-error", "default")


def ack_topic(settings: TopicSettings, outcome: str) -> str:
    """The topic of acks with this outcome, one of ACK_OUTCOMES."""
    return f"{settings.topic_acks_prefix}.{outcome}"


def ensure(settings: TopicSettings, timeout_s: float = 30.0) -> list[str]:
    """Makes the topics that are missing and returns their names; existing ones stay as they are.

    Raises:
        Unavailable: no broker answered.
        PlumblineError: a topic was refused.
    """
    kafka.wait_ready(settings, timeout_s)
    names = [settings.topic_readings, settings.topic_dead_letters]
    names += [ack_topic(settings, outcome) for outcome in ACK_OUTCOMES]
    client = kafka.admin(settings)
    existing = client.list_topics(timeout=timeout_s).topics
    missing = [name for name in names if name not in existing]
    if not missing:
        return []
    config = {"compression.type": "producer"}
    wanted = [
        NewTopic(
            name,
            num_partitions=settings.topic_partitions,
            replication_factor=settings.topic_replication_factor,
            config=config,
        )
        for name in missing
    ]
    created = []
    for name, future in client.create_topics(wanted, operation_timeout=timeout_s).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise PlumblineError(f"topic {name}: {error.args[0].str()} → check TOPIC_* and the broker") from None
        else:
            created.append(name)
    return created


def main() -> int:
    """Makes what is missing and prints its names."""
    parser = argparse.ArgumentParser(
        prog="python -m shared.topics",
        description="Makes the pipeline's topics that are missing.",
        epilog=help_text(TopicSettings) + "\n\nexample: TOPIC_PARTITIONS=12 python -m shared.topics",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    created = ensure(load(TopicSettings))
    sys.stdout.write("".join(f"created {name}\n" for name in created) or "all there\n")
    return 0


if __name__ == "__main__":
    lifecycle.run(main)
