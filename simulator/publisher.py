"""Where records go."""

import threading
import time
from collections.abc import Sequence
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from shared import kafka, log, tracing
from shared.errors import ConfigurationError, PlumblineError
from shared.settings import TopicSettings
from simulator.http.delivery import Delivery
from simulator.metrics import Metrics
from simulator.record import Record

_log = log.get(__name__)

CONNECT_TIMEOUT_S = 5.0
DRAIN_TIMEOUT_S = 20.0
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

    def status(self) -> str:
        """What progress says of it; may be empty."""

    @property
    def delivery(self) -> Delivery | None:
        """What became of the records, where that is told for each."""


class KafkaPublisher:
    """Publishes to the topic of readings.

    Raises:
        Unavailable: no broker answers.
        ConfigurationError: the topic doesn't exist.
    """

    def __init__(self, settings: TopicSettings, stop: threading.Event, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._given = self._told = 0
        self._topic = settings.topic_readings
        self._stop = stop
        self._failed = 0
        self._reason = ""
        self._stopped_at: float | None = None
        # Only failures come back from C to Python.
        self._producer = kafka.producer(settings, delivery_report_only_error=True, linger_ms=50)
        self._check_topic()

    def publish(self, records: Sequence[Record]) -> None:
        """Hands records over; blocks while too many are on their way, and gives up on that after a stop."""
        sending = tracing.start(f"send {self._topic}", "producer", attributes=tracing.messaging(self._topic, "send"))
        with tracing.inside(sending) as span:
            self._publish(records, tracing.headers(span))

    def _publish(self, records: Sequence[Record], headers: Sequence[tuple[str, str]]) -> None:
        waiting: list[Record] = [record | {"headers": headers} for record in records] if headers else list(records)
        self._given += len(waiting)
        while waiting and self._stopping_s() < DRAIN_TIMEOUT_S:
            if len(self._producer) + len(waiting) <= _IN_FLIGHT or not len(self._producer):
                produce = kafka.produce_each if headers else Producer.produce_batch
                produce(self._producer, self._topic, waiting, on_delivery=self._delivered)
                waiting = [record for record in waiting if self._refused(record)]
            self._producer.poll(0.1 if waiting else 0)
        self._failed += len(waiting)
        self._tell()

    def close(self) -> None:
        """Returns once Kafka has acknowledged everything, or raises PlumblineError with what it hasn't."""
        unconfirmed = self._producer.flush(max(1.0, DRAIN_TIMEOUT_S - self._stopping_s()))
        self._tell()
        if unconfirmed or self._failed:
            reason = self._reason or f"no acknowledgement within {DRAIN_TIMEOUT_S:.0f} s"
            raise PlumblineError(
                f"{unconfirmed + self._failed} records were not delivered to topic {self._topic} ({reason}) "
                f"→ check Kafka at {self._settings.kafka_bootstrap_servers} (`plumbline status`) and send again"
            )

    def status(self) -> str:
        """Nothing: Kafka acknowledges as fast as it is sent to."""
        return ""

    @property
    def delivery(self) -> None:
        """Kafka takes everything, or `close` raises."""

    def _tell(self) -> None:
        """Counts what was confirmed: only failures are reported one by one."""
        accepted = self._given - self._failed - len(self._producer)
        self._metrics.accepted.inc(max(0, accepted - self._told))
        self._told = max(self._told, accepted)

    def _stopping_s(self) -> float:
        """How long ago a stop was noticed, in seconds; 0 without one."""
        if not self._stop.is_set():
            return 0.0
        self._stopped_at = self._stopped_at or time.monotonic()
        return time.monotonic() - self._stopped_at

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
        if error is None:
            return
        if not self._failed:
            self._reason = error.str()
            _log.error("delivery_failed", topic=self._topic, reason=self._reason)
        self._failed += 1

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
