"""The thread that publishes what was committed: acks and dead letters, at least once, then marked.

A crash between the two gives a second copy with the same topic id, partition and offset.
"""

import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime

import psycopg
from confluent_kafka import KafkaException, Message, Producer

from ingestion_service import acks
from ingestion_service.acks import Outgoing
from ingestion_service.metrics import Metrics
from ingestion_service.outbox import Outbox
from shared import db, log
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
                while self._round():
                    pass
            except (psycopg.Error, KafkaException) as error:
                if isinstance(error, psycopg.Error) and db.classify(error) is not db.Fault.RETRY:
                    _log.error("relay_failed", error=str(error).strip())
                else:
                    _log.warning("relay_delayed", error=str(error).strip())
                self._outbox.close()
                self._closing.wait(_IDLE_S)
        self._outbox.close()

    def _round(self) -> bool:
        """Publishes and marks what there is; whether there may be more."""
        done = self._outbox.acks(_AT_ONCE)
        dead = self._outbox.dead_letters(_AT_ONCE)
        oldest = min((ack.committed_at for ack in done), default=None)
        self._metrics.ack_lag.set(0 if oldest is None else max(0.0, (datetime.now(UTC) - oldest).total_seconds()))
        if not done and not dead:
            return False
        self._failpoints.hit("relay.before_publish")
        letters = [make(self._settings, letter) for letter in dead for make in (acks.dead_letter, acks.error)]
        self._publish([acks.success(self._settings, ack) for ack in done] + letters)
        self._failpoints.hit("relay.before_mark")
        self._outbox.mark(done, dead)
        return len(done) == _AT_ONCE or len(dead) == _AT_ONCE

    def _publish(self, records: Iterable[Outgoing]) -> None:
        """Returns once Kafka has all of them.

        Raises:
            KafkaException: it has not.
        """
        failures: list[KafkaException] = []
        pending = 0

        def delivered(error: object, message: Message) -> None:
            nonlocal pending
            pending -= 1
            if error is None:
                self._metrics.relayed.labels(message.topic()).inc()
            else:
                failures.append(KafkaException(error))

        for record in records:
            while not self._produced(record, delivered):
                self._producer.poll(0.1)
            pending += 1
        deadline = time.monotonic() + _DELIVERY_TIMEOUT_S
        while pending and time.monotonic() < deadline:
            self._producer.poll(0.1)
        if failures:
            raise failures[0]
        if pending:
            self._producer.purge()
            raise KafkaException(f"{pending} acks weren't delivered within {_DELIVERY_TIMEOUT_S:.0f} s")

    def _produced(self, record: Outgoing, delivered: object) -> bool:
        try:
            self._producer.produce(
                record.topic,
                record.value,
                record.key,
                headers=record.headers,
                on_delivery=delivered,  # type: ignore[arg-type]
            )
        except BufferError:
            return False
        return True
