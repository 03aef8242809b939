"""Protections against a Postgres that fails, each switched off by a function of its name; see `unprotected`."""

import threading
from collections.abc import Callable, Sequence

import psycopg
from confluent_kafka import Message

from ingestion_service import store
from ingestion_service.batch import Span
from ingestion_service.commit import Committer
from ingestion_service.loop import Loop
from ingestion_service.writer import Writer
from shared import db
from shared.db import Fault

_classify = db.classify


def reconnecting() -> None:
    """A database that fails once has failed for good."""

    def final(error: psycopg.Error) -> Fault:
        fault = _classify(error)
        return Fault.STOP if fault is Fault.RETRY else fault

    db.classify = final


def passing_errors() -> None:
    """What the database says while it is locked, full or busy is taken for a fault of the events."""

    def hasty(error: psycopg.Error) -> Fault:
        fault = _classify(error)
        return Fault.POISON if fault is Fault.RETRY and error.sqlstate else fault

    db.classify = hasty


def look_after_commit() -> None:
    """A COMMIT whose reply was lost is taken for one that failed."""

    def never(self: store.Store, spans: Sequence[Span]) -> bool:
        return False

    store.Store.committed = never  # type: ignore[method-assign]


def pausing() -> None:
    """While the writer is busy nobody polls."""
    poll = Loop._poll

    def wait_and_poll(self: Loop, over: Callable[[], bool]) -> list[Message]:
        while not self._writer.wait_for_place(0.5) and not over():
            continue
        return poll(self, over)

    Loop._poll = wait_and_poll  # type: ignore[method-assign]


def bounded_queue() -> None:
    """There is always room for one more batch."""

    def room(self: Writer, timeout_s: float) -> bool:
        return True

    initialise = Writer.__init__

    def unbounded(self: Writer, *args: object) -> None:
        initialise(self, *args)  # type: ignore[arg-type]
        self._places = threading.Semaphore(1_000_000)

    Writer.__init__ = unbounded  # type: ignore[method-assign, assignment]
    Writer.wait_for_place = room  # type: ignore[method-assign]


def forgetting() -> None:
    """The ids of devices are remembered across connections."""

    def keep(self: Committer) -> None:
        """Forgets nothing."""

    Committer.forget = keep  # type: ignore[method-assign]


def limits_of_silence() -> None:
    """Nobody ends a session that keeps rows locked and says no more."""

    def patient(self: store.Store) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._conninfo, autocommit=True)
            self._connection.execute("SELECT set_config('lock_timeout', '5s', false)")
        return self._connection

    store.Store.connection = property(patient)  # type: ignore[method-assign, assignment]


PROTECTIONS: dict[str, Callable[[], None]] = {
    switch_off.__name__: switch_off
    for switch_off in (
        reconnecting,
        passing_errors,
        look_after_commit,
        pausing,
        bounded_queue,
        forgetting,
        limits_of_silence,
    )
}
