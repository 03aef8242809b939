"""What Kafka holds beyond what is stored, for `/check-buffer`. Blocks: for a thread of its own."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from api_service.gateway.store import Position
from shared import kafka
from shared.settings import TopicSettings

_LOOK_S = 1.2  # all of it
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Waiting:
    """Records of a partition that aren't stored yet. `oldest_ms`: the first one's timestamp; None: there is none."""

    partition: int
    count: int
    oldest_ms: int | None


class Backlog:
    """An admin client and a consumer that are kept; for one thread. The consumer joins no group."""

    def __init__(self, settings: TopicSettings) -> None:
        self._topic = settings.topic_readings
        self._deadline = 0.0
        self._admin: AdminClient = kafka.admin(settings)
        # It reads one record a partition: the broker sends a whole batch, but no second one.
        self._consumer: Consumer = kafka.consumer(
            settings, group_id="plumbline-api", enable_auto_commit=False, auto_offset_reset="earliest",
            enable_partition_eof=True, fetch_message_max_bytes=1024, fetch_error_backoff_ms=50,
        )  # fmt: skip

    def look(self, positions: Sequence[Position]) -> list[Waiting]:
        """All partitions of the topic, when ingestion goes on at these positions.

        Raises:
            KafkaException, TimeoutError: Kafka didn't answer in time.
        """
        self._deadline = time.monotonic() + _LOOK_S
        asked = self._admin.describe_topics(TopicCollection([self._topic]), request_timeout=self._left())
        topic = asked[self._topic].result(self._left())
        numbers = sorted(partition.id for partition in topic.partitions)
        # A position in an earlier topic of this name says nothing about this one.
        known = {each.partition: each.next_offset for each in positions if each.topic_id == str(topic.topic_id)}
        low = self._offsets(numbers, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        high = self._offsets(numbers, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        start = {number: max(low[number], known.get(number, 0)) for number in numbers}
        oldest = self._oldest({number: start[number] for number in numbers if start[number] < high[number]})
        return [Waiting(each, max(0, high[each] - start[each]), oldest.get(each)) for each in numbers]

    def close(self) -> None:
        """Ends both."""
        self._consumer.close()

    def _offsets(self, partitions: Sequence[int], which: OffsetSpec) -> dict[int, int]:
        wanted = {TopicPartition(self._topic, partition): which for partition in partitions}
        asked = self._admin.list_offsets(wanted, request_timeout=self._left())
        return {at.partition: found.result(self._left()).offset for at, found in asked.items()}

    def _left(self) -> float:
        """Seconds until the deadline.

        Raises:
            TimeoutError: it is over.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _oldest(self, starts: Mapping[int, int]) -> dict[int, int]:
        """Timestamps (ms) of the first records at or after these offsets, where there are any."""
        found: dict[int, int] = {}
        if not starts:
            return found
        self._consumer.assign([TopicPartition(self._topic, *each) for each in starts.items()])
        try:
            left = set(starts)
            while left:
                for message in self._consumer.consume(len(left), min(_POLL_S, self._left())):
                    error, partition = message.error(), message.partition()
                    if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001
                        raise KafkaException(error)
                    if partition in left:
                        left.discard(partition)
                        if error is None:
                            found[partition] = message.timestamp()[1]
        finally:
            self._consumer.unassign()
        return found
