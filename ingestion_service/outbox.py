"""The relay's SQL: what was committed and isn't published yet, and the marks that it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg


@dataclass(frozen=True, slots=True)
class SuccessAck:
    """A committed range of one partition."""

    topic: str
    topic_id: str
    partition: int
    first_offset: int
    last_offset: int
    persisted: int
    duplicates: int
    conflicts: int
    dead_lettered: int
    committed_at: datetime


@dataclass(frozen=True, slots=True)
class Buried:
    """A dead letter that isn't published yet; headers are [name, base64 or null] pairs."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[list[str | None]]
    code: str
    detail: str
    at: datetime


class Outbox:
    """One connection, for one thread; only partitions that `owner` has claimed."""

    def __init__(self, conninfo: str, owner: UUID) -> None:
        self._conninfo = conninfo
        self._owner = owner
        self._connection: psycopg.Connection | None = None

    def _open(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._conninfo, autocommit=True)
        return self._connection

    def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def dead_letters(self, most: int) -> list[Buried]:
        """The oldest that aren't published, in the order of their offsets."""
        rows = self._open().execute(
            """
            SELECT d.topic, d.topic_id, d.partition, d."offset", d.key, d.value, d.headers, d.code, d.detail, d.at
            FROM dead_letters d JOIN kafka_offsets o USING (topic_id, partition)
            WHERE d.published_at IS NULL AND o.owner = %s
            ORDER BY d.topic_id, d.partition, d."offset" LIMIT %s
            """,
            [self._owner, most],
        )
        return [Buried(*row) for row in rows]

    def acks(self, most: int) -> list[SuccessAck]:
        """The oldest that aren't published, in the order of their offsets."""
        rows = self._open().execute(
            """
            SELECT o.topic, b.topic_id, b.partition, b.first_offset, b.last_offset,
                b.persisted, b.duplicates, b.conflicts, b.dead_lettered, b.committed_at
            FROM kafka_offsets o JOIN outbox b USING (topic_id, partition)
            WHERE o.owner = %s AND b.first_offset >= o.acked_offset
            ORDER BY b.topic_id, b.partition, b.first_offset LIMIT %s
            """,
            [self._owner, most],
        )
        return [SuccessAck(*row) for row in rows]

    def mark_acks(self, acks: Sequence[SuccessAck]) -> None:
        """Kafka has these, which are in the order of their offsets."""
        reached = {(ack.topic_id, ack.partition): ack.last_offset + 1 for ack in acks}
        for (topic_id, partition), offset in sorted(reached.items()):
            self._open().execute(
                "UPDATE kafka_offsets SET acked_offset = greatest(acked_offset, %s)"
                " WHERE topic_id = %s AND partition = %s AND owner = %s",
                [offset, topic_id, partition, self._owner],
            )

    def mark_dead_letters(self, dead: Sequence[Buried]) -> None:
        """Kafka has these."""
        self._open().execute(
            "UPDATE dead_letters SET published_at = now()"
            " FROM unnest(%s::text[], %s::int4[], %s::int8[]) AS done (topic_id, partition, at_offset)"
            ' WHERE (dead_letters.topic_id, dead_letters.partition, dead_letters."offset")'
            " = (done.topic_id, done.partition, done.at_offset)",
            [[d.topic_id for d in dead], [d.partition for d in dead], [d.offset for d in dead]],
        )
