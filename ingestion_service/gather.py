"""Collects what one batch is made of: full by number, full by bytes, or lingered long enough."""

import time

from confluent_kafka import Consumer, Message

from ingestion_service.metrics import Metrics
from ingestion_service.settings import IngestionSettings

_AT_ONCE = 2_000  # records that are asked for before their bytes are looked at


class Gatherer:
    """For one thread."""

    def __init__(self, consumer: Consumer, settings: IngestionSettings, metrics: Metrics) -> None:
        self._consumer = consumer
        self._received = metrics.received_bytes
        self._settings = settings
        self._bytes_each = 1.0  # of the values that came last

    def gather(self) -> list[Message]:
        """Records, and between them what the client says of partitions: their ends, and errors."""
        came: list[Message] = []
        missing, room = self._settings.batch_max_events, float(self._settings.batch_max_bytes)
        until = time.monotonic() + self._settings.batch_linger_ms / 1000
        while missing > 0 and room > 0 and (left := until - time.monotonic()) > 0:
            some = self._consumer.consume(min(_AT_ONCE, missing, 1 + int(room / self._bytes_each)), left)
            if some:
                size = sum(map(len, some))  # the length of a message is that of its value
                self._received.inc(size)
                self._bytes_each = max(1.0, size / len(some))
                room -= size
                missing -= len([message for message in some if message.error() is None])
                came += some
        return came
