"""Ingestion with one protection off: `WITHOUT=name python -m tests.faults.unprotected`.

Controls run their fault on this process and must see the damage: a test that can't fail shows nothing. The product
has no such switch; what is off is patched away in this process only.
"""

import dataclasses
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from confluent_kafka import Consumer

from ingestion_service import __main__ as service
from ingestion_service import columns, loop, offsets, outbox, store
from ingestion_service.acks import Outgoing
from ingestion_service.batch import Batch, Claim, Span
from ingestion_service.columns import Rows
from ingestion_service.outbox import Outbox, SuccessAck
from ingestion_service.pairs import Pairs
from ingestion_service.relay import Relay
from ingestion_service.topic import Topic
from ingestion_service.writer import Writer
from shared import kafka, lifecycle
from shared.settings import KafkaSettings
from tests.faults import unprotected_database

PROTECTIONS: dict[str, Callable[[], None]] = {}
_advance = offsets.advance


def _nothing(cursor: psycopg.Cursor, batch: Batch) -> None:
    """In place of bury."""


def _protection(switch_off: Callable[[], None]) -> Callable[[], None]:
    PROTECTIONS[switch_off.__name__] = switch_off
    return switch_off


@_protection
def compare_and_set() -> None:
    """Whoever commits last is right."""

    def advance(connection: psycopg.Connection, spans: Sequence[Span], owner: UUID) -> None:
        for span in spans:
            connection.execute(
                "UPDATE kafka_offsets SET owner = %s, owner_epoch = %s, next_offset = %s WHERE partition = %s",
                [owner, span.claim.epoch, span.start, span.claim.partition],
            )
            # The key of a range that is told twice would stop it too.
            connection.execute(
                "UPDATE outbox SET topic_id = gen_random_uuid() WHERE partition = %s AND first_offset = %s",
                [span.claim.partition, span.start],
            )
        _advance(connection, spans, owner)

    offsets.advance = advance


@_protection
def events_with_offsets() -> None:
    """The events are committed before their offsets."""

    def advance(connection: psycopg.Connection, spans: Sequence[Span], owner: UUID) -> None:
        connection.execute("COMMIT")
        connection.execute("BEGIN")
        _advance(connection, spans, owner)

    offsets.advance = advance


@_protection
def offsets_with_events() -> None:
    """The offsets are committed before their events."""

    def advance(connection: psycopg.Connection, spans: Sequence[Span], owner: UUID) -> None:
        with psycopg.connect(connection.info.dsn, password=connection.info.password) as other:
            _advance(other, spans, owner)

    offsets.advance = advance


@_protection
def dead_letters_with_offsets() -> None:
    """Dead letters are written after the COMMIT."""
    write, bury = store.Store.write, outbox.bury

    def write_and_bury(
        self: store.Store,
        batch: Batch,
        rows: Sequence[Rows],
        blocks: Sequence[bytes],
        pairs: Pairs,
    ) -> int:
        late = write(self, batch, rows, blocks, pairs)
        with self._transaction() as cursor:
            bury(cursor, batch)
        return late

    outbox.bury = _nothing
    store.Store.write = write_and_bury  # type: ignore[method-assign]


@_protection
def publish_then_mark() -> None:
    """Acks are marked as published before they are."""
    acks = Outbox.acks

    def mark_at_once(self: Outbox, most: int) -> list[SuccessAck]:
        found = acks(self, most)
        self.mark_acks(found)
        return found

    Outbox.acks = mark_at_once  # type: ignore[method-assign]


@_protection
def delivery_reports() -> None:
    """What the relay handed to the client counts as published, whatever became of it."""

    def hand_over(self: Relay, records: Sequence[Outgoing]) -> None:
        for record in records:
            self._produce(record, lambda _record, _error: None)
        self._producer.flush(2)
        self._producer.purge()

    Relay._publish = hand_over  # type: ignore[method-assign]


@_protection
def deduplication() -> None:
    """Nobody looks for an event that is there already (the database's primary key is the test's to drop)."""
    nothing = np.zeros
    columns.repeated = lambda rows: (nothing(len(rows), np.bool_), nothing(len(rows), np.bool_))


@_protection
def dead_letters() -> None:
    """What can't be taken is dropped."""
    outbox.bury = _nothing


@_protection
def late_buckets() -> None:
    """Nobody tells the aggregator of events below its watermark."""

    def quiet(cursor: psycopg.Cursor, rows: Sequence[Rows]) -> int:
        return 0

    store._log_late = quiet


@_protection
def sigterm() -> None:
    """SIGTERM ends the process as if nobody listened."""

    @contextmanager
    def deaf() -> Iterator[threading.Event]:
        yield threading.Event()

    lifecycle.stop_event = deaf


@_protection
def stored_offsets() -> None:
    """A claim goes on from the low watermark instead of what the database says. The compare-and-set stands behind."""
    claim = store.Store.claim
    compare_and_set()

    def from_low(self: store.Store, topic: str, partition: int, topic_id: str, low: int) -> Claim | None:
        granted = claim(self, topic, partition, topic_id, low)
        return granted and dataclasses.replace(granted, next_offset=low)

    store.Store.claim = from_low  # type: ignore[method-assign]


@_protection
def retries() -> None:
    """A batch that the database didn't take is dropped. The compare-and-set stands behind."""
    commit = Writer._commit
    compare_and_set()

    def commit_once(self: Writer, batch: Batch) -> None:
        try:
            commit(self, batch)
        except psycopg.Error:
            self._store.close()

    Writer._commit = commit_once  # type: ignore[method-assign]


@_protection
def topic_identity() -> None:
    """Any topic of that name will do."""
    Topic.identity = Topic.latest_identity = lambda _self: "the only one"  # type: ignore[method-assign, assignment]


@_protection
def offsets_in_range() -> None:
    """An offset that the topic doesn't have means: go on at the earliest that it has."""
    consumer = kafka.consumer

    def lenient(settings: KafkaSettings, **overrides: Any) -> Consumer:
        return consumer(settings, **{**overrides, "auto_offset_reset": "earliest"})

    def fine(claim: Claim, low: int, high: int) -> None:
        return None

    kafka.consumer = lenient
    loop.misplaced = fine  # type: ignore[attr-defined]


def main() -> int:
    """Switches the protections off, one or more joined by +, and runs the service."""
    for name in os.environ["WITHOUT"].split("+"):
        (PROTECTIONS | unprotected_database.PROTECTIONS)[name]()
    return service.main()


if __name__ == "__main__":
    lifecycle.run(main)
