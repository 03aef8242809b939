"""Reads single records of Kafka; joins no group and commits nothing."""

import time
import unicodedata
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ops import broker
from ops.dlq.letters import device as device_of
from ops.trace.way import Record, decoded
from shared import kafka

TIMEOUT_S = 10.0
# Where to begin: records usually come right after the time that they name, but a device's clock may be ahead.
AHEAD = (timedelta(seconds=1), timedelta(seconds=300))


class Records:
    """A consumer without a group."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._settings = broker.settings(values)
        self._consumer: Consumer = kafka.consumer(
            self._settings, group_id="plumbline-operator", enable_auto_commit=False, auto_offset_reset="error",
            enable_partition_eof=True,
        )  # fmt: skip

    def close(self) -> None:
        """Lets go of the broker."""
        self._consumer.close()

    def at(self, topic: str, partition: int, offset: int) -> Record | None:
        """The record at this offset; None: there is none, any more or yet."""
        try:
            low, high = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() in (KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART):  # noqa: SLF001
                return None
            raise kafka.unavailable(self._settings, error) from None
        if not low <= offset < high:
            return None
        found = self._read([TopicPartition(topic, partition, offset)], lambda _: True, 1)
        return found if found is not None and found.offset == offset else None

    def of_event(self, topic: str, device: str, ts: datetime, most: int) -> tuple[Record | None, int]:
        """The record with this event, and how many were looked at, `most` at most a start.

        The device's partition is where our producers put its key; the others follow, for other producers.
        """
        partitions = sorted(self._consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions)
        if not partitions:
            return None, 0
        mine = partitions[zlib.crc32(device.encode()) % len(partitions)]
        micros = round(ts.timestamp() * 1_000_000)
        looked = 0

        def is_it(record: Record) -> bool:
            nonlocal looked
            looked += 1
            if not _may_be(record, device):
                return False
            event = decoded(record.value)
            return event is not None and event.device == device and abs(event.ts_us - micros) < 1

        for numbers in ([mine], [n for n in partitions if n != mine]):
            before: list[TopicPartition] = []
            for ahead in AHEAD:
                at = [TopicPartition(topic, n, round((ts - ahead).timestamp() * 1_000)) for n in numbers]
                starts = [t for t in self._consumer.offsets_for_times(at, timeout=TIMEOUT_S) if t.offset >= 0]
                if _offsets(starts) == _offsets(before):
                    continue
                found, before = self._read(starts, is_it, most), starts
                if found is not None:
                    return found, looked
        return None, looked

    def _read(self, starts: list[TopicPartition], wanted: Callable[[Record], bool], most: int) -> Record | None:
        """The first record that is wanted, among so many from these offsets on, before the ends."""
        self._consumer.assign(starts)
        ended: set[int] = set()
        deadline = time.monotonic() + TIMEOUT_S
        seen = 0
        try:
            while seen < most and len(ended) < len(starts) and time.monotonic() < deadline:
                for message in self._consumer.consume(min(1_000, most - seen), 0.5):
                    error = message.error()
                    if error is not None:
                        ended.add(message.partition() or 0)  # its end, or it can't be read
                        continue
                    seen += 1
                    if wanted(found := record(message)):
                        return found
        finally:
            self._consumer.unassign()
        return None


def _offsets(starts: list[TopicPartition]) -> list[tuple[int, int]]:
    return [(start.partition, start.offset) for start in starts]


def _may_be(record: Record, device: str) -> bool:
    """A cheap look: by the key, or the bytes where there is none."""
    if record.key:
        return unicodedata.normalize("NFC", record.key.decode("utf-8", "replace")) == device
    return device_of(None, record.value) == device


def record(message: Message) -> Record:
    """What a message holds."""
    kind, milliseconds = message.timestamp()
    try:
        headers = list(message.headers() or [])
    except (SystemError, UnicodeDecodeError):  # a name that isn't UTF-8
        headers = []
    return Record(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        milliseconds / 1_000 if kind else None,
        message.key(),
        message.value(),
        [(str(name), value.encode() if isinstance(value, str) else value) for name, value in headers],
    )
