"""Ingestion with one protection off: `WITHOUT=name python -m tests.faults.unprotected`.

Controls run their fault on this process and must see the damage: a test that can't fail shows nothing. The product
has no such switch; what is off is patched away in this process only.
"""

import os
from collections.abc import Callable, Sequence
from uuid import UUID

import psycopg

from ingestion_service import __main__ as service
from ingestion_service import store
from ingestion_service.batch import Span
from shared import lifecycle

PROTECTIONS: dict[str, Callable[[], None]] = {}
_advance = store._advance


def _protection(switch_off: Callable[[], None]) -> Callable[[], None]:
    PROTECTIONS[switch_off.__name__] = switch_off
    return switch_off


@_protection
def compare_and_set() -> None:
    """Whoever commits last is right."""

    def advance(cursor: psycopg.Cursor, spans: Sequence[Span], owner: UUID) -> None:
        for span in spans:
            cursor.execute(
                "UPDATE kafka_offsets SET owner = %s, owner_epoch = %s, next_offset = %s WHERE partition = %s",
                [owner, span.claim.epoch, span.start, span.claim.partition],
            )
        _advance(cursor, spans, owner)

    store._advance = advance


@_protection
def events_with_offsets() -> None:
    """The events are committed before their offsets."""

    def advance(cursor: psycopg.Cursor, spans: Sequence[Span], owner: UUID) -> None:
        cursor.execute("COMMIT")
        cursor.execute("BEGIN")
        _advance(cursor, spans, owner)

    store._advance = advance


@_protection
def offsets_with_events() -> None:
    """The offsets are committed before their events."""

    def advance(cursor: psycopg.Cursor, spans: Sequence[Span], owner: UUID) -> None:
        with psycopg.connect(cursor.connection.info.dsn, password=cursor.connection.info.password) as other:
            _advance(other.cursor(), spans, owner)

    store._advance = advance


def main() -> int:
    """Switches the protection off and runs the service."""
    PROTECTIONS[os.environ["WITHOUT"]]()
    return service.main()


if __name__ == "__main__":
    lifecycle.run(main)
