"""What Kafka holds, as the operator's commands ask it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

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
    """Asks for offsets; never reads a record and joins no group."""

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
