"""The thread that publishes what was committed: acks and dead letters, at least once, then marked.

A crash between the two gives a second copy with the same topic id, partition and offset.
"""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import psycopg
from confluent_kafka import KafkaError, KafkaException, Producer

from ingestion_service import acks
from ingestion_service.acks import Outgoing
from ingestion_service.metrics import Metrics
from ingestion_service.outbox import Outbox
from shared import log
from shared.failpoints import Failpoints
from shared.settings import TopicSettings

_log = log.get(__name__)
_AT_ONCE = 2_000  # acks, and dead letters, in one round
_IDLE_S = 1.0  # look anyway: what an earlier owner left, and what failed before
_DELIVERY_TIMEOUT_S = 30.0


class Relay:
    """Runs until `close`; never holds ingestion back: what it can't publish waits in the database."""

    def __init__(
        self, outbox: Outbox, producer: Producer, settings: TopicSettings, metrics: Metrics, failpoints: Failpoints
    ) -> None:
        self._outbox = outbox
        self._producer = producer
        self._settings = settings
        self._metrics = metrics
        self._failpoints = failpoints
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Something was committed."""
        self._wake.set()

    def close(self, timeout_s: float) -> None:
        """Publishes what is left, within this time, and ends the thread."""
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("relay_unfinished")  # what is left leaves with the next owner's relay

    def _run(self) -> None:
        last = False
        while not last:
            self._wake.wait(_IDLE_S)
            self._wake.clear()
            last = self._closing.is_set()
            try:
                while self._acks() | self._dead_letters():
                    pass
            except (psycopg.OperationalError, KafkaException) as error:
                self._later("relay_delayed", error)
            except Exception as error:  # noqa: BLE001 what we don't know must not end the acks of all that follows
                self._later("relay_failed", error)
        self._outbox.close()

    def _later(self, event: str, error: Exception) -> None:
        _log.warning(event, error=str(error).strip())
        self._outbox.close()
        self._closing.wait(_IDLE_S)

    def _acks(self) -> bool:
        """Publishes and marks success acks; whether there may be more."""
        done = self._outbox.acks(_AT_ONCE)
        oldest = min((ack.committed_at for ack in done), default=None)
        self._metrics.ack_lag.set(0 if oldest is None else max(0.0, (datetime.now(UTC) - oldest).total_seconds()))
        if done:
            self._failpoints.hit("relay.before_publish")
            self._publish([acks.success(self._settings, ack) for ack in done])
            self._failpoints.hit("relay.before_mark")
            self._outbox.mark_acks(done)
        return len(done) >= _AT_ONCE

    def _dead_letters(self) -> bool:
        """Publishes and marks dead letters with their error acks; whether there may be more."""
        dead = self._outbox.dead_letters(_AT_ONCE)
        if dead:
            self._publish([make(self._settings, letter) for letter in dead for make in (acks.dead_letter, acks.error)])
            self._failpoints.hit("relay.before_mark_dead_letters")
            self._outbox.mark_dead_letters(dead)
        return len(dead) == _AT_ONCE

    def _publish(self, records: Sequence[Outgoing]) -> None:
        """Returns once Kafka has all of them; of what is too large for it, everything but the value.

        Raises:
            KafkaException: it has not.
        """
        failed: list[tuple[Outgoing, KafkaError]] = []
        pending = 0

        def delivered(record: Outgoing, error: KafkaError | None) -> None:
            nonlocal pending
            pending -= 1
            if error is None:
                self._metrics.relayed.labels(record.topic).inc()
            else:
                failed.append((record, error))

        for record in records:
            error = self._produce(record, delivered)
            pending += 1
            if error is not None:
                delivered(record, error)
        deadline = time.monotonic() + _DELIVERY_TIMEOUT_S
        while pending and time.monotonic() < deadline:
            self._producer.poll(0.1)
        if pending:
            self._producer.purge()
            raise KafkaException(f"{pending} records weren't delivered within {_DELIVERY_TIMEOUT_S:.0f} s")
        for record, error in failed:
            if error.code() != KafkaError.MSG_SIZE_TOO_LARGE or record.value is None:
                raise KafkaException(error)
        if failed:
            self._publish([acks.without_value(record) for record, _ in failed])

    def _produce(self, record: Outgoing, delivered: Callable[[Outgoing, KafkaError | None], None]) -> KafkaError | None:
        """Hands the record over, once there is room; its own size can be refused at once."""

        def on_delivery(error: KafkaError | None, _message: object) -> None:
            delivered(record, error)

        while True:
            try:
                self._producer.produce(
                    record.topic, record.value, record.key, headers=record.headers, on_delivery=on_delivery
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                refused: KafkaError = error.args[0]
                return refused
            else:
                return None
