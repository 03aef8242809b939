"""What Kafka holds, as the operator's commands ask it."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import TopicDescription  # type: ignore[attr-defined]

from shared import kafka
from shared.settings import TopicSettings, load

TIMEOUT_S = 10.0
Partition = tuple[str, int]


@dataclass(frozen=True)
class Held:
    """What Kafka holds under a topic's name: its id, and low and high watermark by partition."""

    topic_id: str
    watermarks: Mapping[int, tuple[int, int]]


class Broker:
    """Asks for offsets, and reads single records; joins no group and commits nothing."""

    def __init__(self, consumer: Consumer, settings: TopicSettings) -> None:
        self._consumer, self._settings = consumer, settings

    @property
    def topic(self) -> str:
        """The readings topic's name."""
        return self._settings.topic_readings

    def held(self, topics: Iterable[str]) -> dict[str, Held]:
        """The topics of these that there are."""
        wanted = sorted(topics)
        try:
            admin = kafka.admin(self._settings)  # kept until its answers are there
            asked = admin.describe_topics(TopicCollection(wanted), request_timeout=TIMEOUT_S)
            found = {name: description for name in wanted if (description := _described(asked[name])) is not None}
            ends = self.watermarks([(name, part.id) for name, each in found.items() for part in each.partitions])
        except KafkaException as error:
            raise kafka.unavailable(self._settings, error) from None
        return {
            name: Held(str(each.topic_id), {part.id: ends[name, part.id] for part in each.partitions})
            for name, each in found.items()
        }

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

    def described(self) -> list[dict[str, Any]]:
        """Every topic with its partitions: leader, replicas in sync, first and next offset."""
        try:
            topics = self._consumer.list_topics(timeout=TIMEOUT_S).topics
        except KafkaException as error:
            raise kafka.unavailable(self._settings, error) from None
        parts = {name: sorted(topic.partitions.values(), key=lambda each: each.id) for name, topic in topics.items()}
        ends = self.watermarks([(name, each.id) for name, partitions in parts.items() for each in partitions])
        return [
            {
                "topic": name,
                "partition": each.id,
                "leader": each.leader,
                "replicas": list(each.replicas),
                "in_sync": list(each.isrs),
                "first_offset": ends[name, each.id][0],
                "next_offset": ends[name, each.id][1],
            }
            for name, partitions in sorted(parts.items())
            for each in partitions
        ]

    def offsets_at(self, partitions: Sequence[Partition], when: datetime) -> dict[Partition, int]:
        """The offset of each partition's first record of this time or later; the end where there is none."""
        asked = [TopicPartition(topic, number, int(when.timestamp() * 1_000)) for topic, number in partitions]
        try:
            found = self._consumer.offsets_for_times(asked, timeout=TIMEOUT_S) if asked else []
        except KafkaException as error:
            raise kafka.unavailable(self._settings, error) from None
        ends = self.watermarks([(each.topic, each.partition) for each in found if each.offset < 0])
        return {
            (each.topic, each.partition): each.offset if each.offset >= 0 else ends[each.topic, each.partition][1]
            for each in found
        }

    def written_at(self, places: Mapping[Partition, int], within_s: float) -> dict[Partition, datetime]:
        """When Kafka got the first record from each of these offsets on; only of those that came within the time."""
        found: dict[Partition, datetime] = {}
        self._consumer.assign([TopicPartition(*partition, offset) for partition, offset in places.items()])
        deadline = time.monotonic() + within_s
        try:
            while len(found) < len(places) and time.monotonic() < deadline:
                for message in self._consumer.consume(1_000, 0.1):
                    kind, milliseconds = message.timestamp()
                    if message.error() is None and kind:
                        partition = (message.topic() or "", message.partition() or 0)
                        found.setdefault(partition, datetime.fromtimestamp(milliseconds / 1_000, UTC))
        finally:
            self._consumer.unassign()
        return found


def _described(asked: "Future[TopicDescription]") -> TopicDescription | None:
    """None: there is no such topic."""
    try:
        return asked.result(timeout=TIMEOUT_S + 5)  # the request has its own time limit, which comes first
    except TimeoutError:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from None  # noqa: SLF001
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise


def settings(values: Mapping[str, str]) -> TopicSettings:
    """The environment's topics on the stack's broker."""
    own = {"kafka_bootstrap_servers": values["KAFKA_BOOTSTRAP_SERVERS"], "kafka_security_protocol": "PLAINTEXT"}
    return load(TopicSettings).model_copy(update=own)


@contextmanager
def connect(values: Mapping[str, str]) -> Iterator[Broker]:
    """The stack's broker."""
    own = settings(values)
    consumer = kafka.consumer(own, group_id="plumbline-operator", enable_auto_commit=False)
    try:
        yield Broker(consumer, own)
    finally:
        consumer.close()


def lag(ends: Mapping[Partition, tuple[int, int]], read: Mapping[Partition, int]) -> int:
    """Records that are not read yet; of a partition that nobody has read, all that it holds."""
    return sum(max(0, high - read.get(partition, low)) for partition, (low, high) in ends.items())
