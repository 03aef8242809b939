"""What Kafka holds, as the operator's commands ask it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaException, TopicPartition

from shared import kafka
from shared.settings import TopicSettings, load

TIMEOUT_S = 10.0
Partition = tuple[str, int]


class Broker:
    """Asks for offsets; never reads a record and joins no group."""

    def __init__(self, consumer: Consumer, settings: TopicSettings) -> None:
        self._consumer, self._settings = consumer, settings

    def partitions(self) -> list[Partition]:
        """The partitions of the readings topic."""
        topic = self._settings.topic_readings
        try:
            found = self._consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
        except KafkaException as error:
            raise kafka.unavailable(self._settings, error) from None
        return [(topic, partition) for partition in sorted(found)]

    def watermarks(self, partitions: Sequence[Partition]) -> dict[Partition, tuple[int, int]]:
        """The first offset that each partition still holds, and the one that its next record will get."""
        try:
            return {
                (topic, partition): self._consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=TIMEOUT_S
                )
                for topic, partition in partitions
            }
        except KafkaException as error:
            raise kafka.unavailable(self._settings, error) from None


@contextmanager
def connect(values: Mapping[str, str]) -> Iterator[Broker]:
    """The stack's broker."""
    own = {"kafka_bootstrap_servers": values["KAFKA_BOOTSTRAP_SERVERS"], "kafka_security_protocol": "PLAINTEXT"}
    settings = load(TopicSettings).model_copy(update=own)
    consumer = kafka.consumer(settings, group_id="plumbline-operator", enable_auto_commit=False)
    try:
        yield Broker(consumer, settings)
    finally:
        consumer.close()


def lag(ends: Mapping[Partition, tuple[int, int]], read: Mapping[Partition, int]) -> int:
    """Records that are not read yet; of a partition that nobody has read, all that it holds."""
    return sum(max(0, high - read.get(partition, low)) for partition, (low, high) in ends.items())
