"""Where records go."""

import threading
import time
from collections.abc import Sequence
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message

from shared import kafka
from shared.errors import ConfigurationError, PlumblineError
from shared.settings import TopicSettings
from simulator.record import Record

CONNECT_TIMEOUT_S = 5.0
DRAIN_TIMEOUT_S = 30.0
# Enough for librdkafka to fill its batches while the next records are made; well below its queue's limit.
_IN_FLIGHT = 200_000
# confluent-kafka marks what is local to the client with an underscore; it is public all the same.
_QUEUE_FULL: int = KafkaError._QUEUE_FULL  # noqa: SLF001


class Publisher(Protocol):
    """Takes records in order; those of one device stay in order."""

    def publish(self, records: Sequence[Record]) -> None:
        """Hands records over; blocks while too many are on their way."""

    def close(self) -> None:
        """Returns once all records are acknowledged.

        Raises:
            PlumblineError: some weren't; the message says how many and why.
        """


class KafkaPublisher:
    """Publishes to the topic of readings.

    Raises:
        Unavailable: no broker answers.
        ConfigurationError: the topic doesn't exist.
    """

    def __init__(self, settings: TopicSettings, stop: threading.Event) -> None:
        self._settings = settings
        self._topic = settings.topic_readings
        self._stop = stop
        self._failed = 0
        self._reason = ""
        # Only failures come back from C to Python.
        self._producer = kafka.producer(settings, delivery_report_only_error=True, linger_ms=50)
        self._check_topic()

    def publish(self, records: Sequence[Record]) -> None:
        """Hands records over; blocks while too many are on their way, and gives up on that after a stop."""
        waiting: list[Record] = list(records)
        while waiting and self._room(len(waiting)):
            self._producer.produce_batch(self._topic, waiting, on_delivery=self._delivered)
            waiting = [record for record in waiting if self._refused(record)]
        self._failed += len(waiting)
        self._producer.poll(0)

    def close(self) -> None:
        """Returns once Kafka has acknowledged everything, or raises PlumblineError with what it hasn't."""
        unconfirmed = self._producer.flush(DRAIN_TIMEOUT_S)
        if unconfirmed or self._failed:
            reason = self._reason or f"no acknowledgement within {DRAIN_TIMEOUT_S:.0f} s"
            raise PlumblineError(
                f"{unconfirmed + self._failed} records were not delivered to topic {self._topic} ({reason}) "
                f"→ check Kafka at {self._settings.kafka_bootstrap_servers} (`plumbline status`) and send again"
            )

    def _room(self, wanted: int) -> bool:
        """Waits until `wanted` more records fit; false when a stop was asked for and the queue doesn't move."""
        gives_up = None
        while len(self._producer) and len(self._producer) + wanted > _IN_FLIGHT:
            self._producer.poll(0.1)
            if self._stop.is_set():
                gives_up = gives_up or time.monotonic() + DRAIN_TIMEOUT_S
                if time.monotonic() > gives_up:
                    self._reason = self._reason or "the queue was full when the run was stopped"
                    return False
        return True

    def _refused(self, record: Record) -> bool:
        """Whether the queue was too full for this record; one that can never be sent counts as failed."""
        error = record.pop("_error", None)
        if error is None:
            return False
        if error.code() == _QUEUE_FULL:
            return True
        self._delivered(error, None)
        return False

    def _delivered(self, error: KafkaError | None, _message: Message | None) -> None:
        if error is not None:
            self._failed += 1
            self._reason = self._reason or error.str()

    def _check_topic(self) -> None:
        try:
            topic = self._producer.list_topics(self._topic, timeout=CONNECT_TIMEOUT_S).topics[self._topic]
        except KafkaException as error:
            raise kafka.unavailable(self._settings, error) from None
        if topic.error is not None:
            raise ConfigurationError(
                f"TOPIC_READINGS: Kafka at {self._settings.kafka_bootstrap_servers} has no usable topic "
                f"{self._topic!r} ({topic.error.str()}) → name an existing one, or make it: `plumbline up` does"
            )
