"""Reads a topic from where it is told; joins no group and commits nothing."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from ops import broker
from ops.trace.records import record
from ops.trace.way import Record
from shared import kafka
from shared.errors import PlumblineError
from shared.settings import TopicSettings

AT_ONCE = 10_000
POLL_S = 0.2


class Reader:
    """The records of one topic's partitions, as they come."""

    def __init__(self, consumer: Consumer, settings: TopicSettings, topic: str) -> None:
        self._consumer, self._settings, self._topic = consumer, settings, topic
        self._starts: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    def begin(self, back: int | None) -> None:
        """From so many records before each partition's end on; None: from the first that Kafka still has.

        Raises:
            PlumblineError: there is no such topic.
            Unavailable: Kafka doesn't answer.
        """
        try:
            known = self._consumer.list_topics(timeout=broker.TIMEOUT_S).topics
            if self._topic not in known:
                names = ", ".join(sorted(name for name in known if not name.startswith("__")))
                raise PlumblineError(f"Kafka has no such topic → choose from {names}")
            for number in known[self._topic].partitions:
                low, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), broker.TIMEOUT_S)
                self._starts[number] = low if back is None else max(low, high - back)
                self._ends[number] = high
        except KafkaException as error:
            raise kafka.unavailable(self._settings, error) from None
        self._consumer.assign([TopicPartition(self._topic, *start) for start in self._starts.items()])

    def held(self, within_s: float) -> list[Record]:
        """What was there already from the start on, in the order in which Kafka got it."""
        waiting = {number for number, start in self._starts.items() if start < self._ends[number]}
        found: list[Record] = []
        deadline = time.monotonic() + within_s
        while waiting and time.monotonic() < deadline:
            for each in self.some():
                found.append(each)
                if each.offset >= self._ends[each.partition] - 1:
                    waiting.discard(each.partition)
        return sorted(found, key=lambda each: (each.timestamp or 0.0, each.partition, each.offset))

    def some(self) -> list[Record]:
        """What came within a moment; may be nothing.

        Raises:
            Unavailable: Kafka has gone away, or refuses.
        """
        found = []
        for message in self._consumer.consume(AT_ONCE, POLL_S):
            error = message.error()
            if error is None:
                found.append(record(message))
            elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001
                raise kafka.unavailable(self._settings, KafkaException(error))
        return found


@contextmanager
def reading(values: Mapping[str, str], topic: str) -> Iterator[Reader]:
    """A reader of the stack's broker."""
    settings = broker.settings(values)
    consumer = kafka.consumer(
        settings, group_id="plumbline-operator", enable_auto_commit=False, auto_offset_reset="earliest",
        fetch_wait_max_ms=100,
    )  # fmt: skip
    try:
        yield Reader(consumer, settings, topic)
    finally:
        consumer.close()
