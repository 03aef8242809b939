"""Publishes what was committed, acks and dead letters, at least once, then marks it.

A crash between the two gives a second copy with the same topic id, partition and offset. Each topic has a thread of
its own: one that is missing or slow holds up nothing of the others.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import psycopg
from confluent_kafka import KafkaError, KafkaException, Producer

from ingestion_service import acks
from ingestion_service.acks import Outgoing
from ingestion_service.backlog import Backlog
from ingestion_service.batch import Trace
from ingestion_service.metrics import Metrics
from ingestion_service.outbox import Outbox
from ingestion_service.settings import IngestionSettings
from shared import log, tracing
from shared.failpoints import Failpoints
from shared.plain_errors import reason, trace
from shared.topics import ack_topic
from shared.tracing import Span

DELIVERY_TIMEOUT_MS = 30_000  # the producer's: by then Kafka has a record, or has not

_log = log.get(__name__)
_LINKS = 128  # batches that a round is linked with
_AT_ONCE = 2_000  # records in one round
_OUTCOMES = ("success", *acks.ERROR_OUTCOMES)
_IDLE_S = 1.0  # look anyway: what an earlier owner left, and what failed before


class Relay:
    """Runs until `close`. What it can't publish waits in the database, and holds ingestion back within bounds only."""

    def __init__(
        self, outbox: Outbox, producer: Producer, settings: IngestionSettings, metrics: Metrics, failpoints: Failpoints
    ) -> None:
        self._outbox = outbox
        self._producer = producer
        self._settings = settings
        self._metrics = metrics
        self._failpoints = failpoints
        self._backlog = Backlog(settings.ack_backlog_max, settings.ack_hold_max_seconds, metrics)
        for topic in (settings.topic_dead_letters, *(ack_topic(settings, name) for name in _OUTCOMES)):
            metrics.relayed.labels(topic)  # from the start, so that a rate sees the first one
        self._success = _Stream("success acks", self._acks, outbox.close)
        self._others = [_Stream("dead letters", self._dead_letters, outbox.close)]
        self._others += [_Stream(name, partial(self._errors, name), outbox.close) for name in acks.ERROR_OUTCOMES]

    def start(self) -> None:
        """Starts the threads."""
        for stream in (self._success, *self._others):
            stream.start()

    def wake(self, commits: int, *, dead: bool, trace: Trace | None) -> None:
        """So many ranges were committed, with dead letters or without, by a batch with this trace."""
        self._backlog.add(commits)
        for stream in (self._success, *(self._others if dead else ())):
            stream.wake(None if trace is None else trace.span)

    def hold(self) -> None:
        """Waits, ACK_HOLD_MAX_SECONDS at most, while more than ACK_BACKLOG_MAX commits aren't acknowledged."""
        self._backlog.hold()

    def problems(self) -> list[str]:
        """Why the service isn't ready."""
        problem = self._backlog.problem()
        return [] if problem is None else [problem]

    def close(self, timeout_s: float) -> None:
        """Publishes what is left, within this time, and ends the threads."""
        deadline = time.monotonic() + timeout_s
        streams = [self._success, *self._others]
        for stream in streams:
            stream.end()
        for stream in streams:
            stream.join(max(0.0, deadline - time.monotonic()))
        self._outbox.close()

    def _acks(self) -> bool:
        """Publishes and marks success acks; whether there may be more."""
        done = self._outbox.acks(_AT_ONCE)
        more = len(done) >= _AT_ONCE
        oldest = min((ack.committed_at for ack in done), default=None)
        self._backlog.found(self._outbox.backlog() if more else len(done), oldest)
        if done:
            self._failpoints.hit("relay.before_publish")
            self._publish([acks.success(self._settings, ack) for ack in done])
            self._failpoints.hit("relay.before_mark")
            self._outbox.mark_acks(done)
            self._backlog.told(len(done))
        return more

    def _dead_letters(self) -> bool:
        """Publishes and marks dead letters; whether there may be more."""
        dead = self._outbox.dead_letters(_AT_ONCE)
        if dead:
            self._publish([acks.dead_letter(self._settings, letter) for letter in dead])
            self._failpoints.hit("relay.before_mark_dead_letters")
            self._outbox.mark_dead_letters(dead)
        return bool(dead)

    def _errors(self, outcome: str) -> bool:
        """Publishes and marks the error acks with this outcome; whether there may be more."""
        dead = self._outbox.unacknowledged(*acks.codes(outcome), _AT_ONCE)
        if dead:
            self._publish([acks.error(self._settings, letter) for letter in dead])
            self._outbox.mark_errors(dead)
        return len(dead) == _AT_ONCE

    def _publish(self, records: Sequence[Outgoing]) -> None:
        """Returns once Kafka has all of them; of what is too large for it, everything but the value.

        Raises:
            KafkaException: it has not.
        """
        reports: dict[int, KafkaError | None] = {}  # threads serve each other's deliveries

        def report(number: int, error: KafkaError | None, _message: object) -> None:
            reports[number] = error

        for number, record in enumerate(records):
            self._produce(record, partial(report, number))
        while len(reports) < len(records):
            self._producer.poll(0.1)
        too_large = []
        for number, record in enumerate(records):
            error = reports[number]
            if error is None:
                self._metrics.relayed.labels(record.topic).inc()
            elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE and record.value is not None:
                too_large.append(acks.without_value(record))
            else:
                raise KafkaException(error)
        if too_large:
            self._publish(too_large)

    def _produce(self, record: Outgoing, on_delivery: Callable[[KafkaError | None, object], None]) -> None:
        """Hands the record over, once there is room; its own size can be refused at once."""
        while True:
            try:
                self._producer.produce(
                    record.topic, record.value, record.key, headers=record.headers, on_delivery=on_delivery
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                return on_delivery(error.args[0], None)
            else:
                return None


class _Stream:
    """A thread that does one step again and again: while there may be more, when woken, and now and then."""

    def __init__(self, name: str, step: Callable[[], bool], reset: Callable[[], None]) -> None:
        self._name, self._step, self._reset = name, step, reset
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._batches: deque[Span] = deque(maxlen=_LINKS)
        self._thread = threading.Thread(target=self._run, name=f"relay {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self, batch: Span | None) -> None:
        if batch is not None:
            self._batches.append(batch)
        self._wake.set()

    def end(self) -> None:
        self._ending.set()
        self._wake.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("relay_unfinished", stream=self._name)  # what is left leaves with the next owner's relay

    def _run(self) -> None:
        last = False
        while not last:
            self._wake.wait(_IDLE_S)
            self._wake.clear()
            last = self._ending.is_set()
            try:
                with self._span():
                    while self._step():
                        pass
            except (psycopg.OperationalError, KafkaException) as error:
                _log.warning("relay_delayed", stream=self._name, error=reason(error))
                self._later(error)
            except Exception as error:  # noqa: BLE001 what we don't know must not end the acks of all that follows
                _log.warning("relay_failed", stream=self._name, error=reason(error), trace=trace(error))
                self._later(error)

    def _span(self) -> AbstractContextManager[Span | None]:
        """Inside the first batch that woke us, linked with the others."""
        batches = [self._batches.popleft() for _ in range(len(self._batches))]
        if not batches:
            return nullcontext()
        links = [batch.context for batch in batches[1:]]
        return tracing.inside(tracing.start(f"relay {self._name}", "producer", parent=batches[0], links=links))

    def _later(self, error: Exception) -> None:
        if isinstance(error, psycopg.Error):
            self._reset()
        self._ending.wait(_IDLE_S)
