"""What a batch leaves to be told, success acks and dead letters, and the relay's SQL that marks them told."""

import hashlib
import json
import struct
import threading
from base64 import b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg import sql

from ingestion_service.batch import Batch, Claim, DeadLetter

# Headers of a dead letter that was sent again: "topic id/partition/offset" of it, and how many times.
REPLAY_OF = "plumbline.replay.of"
REPLAY_ATTEMPT = "plumbline.replay.attempt"
_VALUE_BYTES = 16_000_000  # of dead letters in one round: a single one may have two megabytes


@dataclass(frozen=True, slots=True)
class SuccessAck:
    """A committed range of one partition; `chapter` is the open one of its partition, or one that was closed."""

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
    chapter: int
    closed: bool


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
    digest: bytes  # of key and value: after Kafka lost records, others may have their offsets


class Outbox:
    """One connection that threads may share; only partitions that `owner` has claimed."""

    def __init__(self, conninfo: str, owner: UUID) -> None:
        self._conninfo = conninfo
        self._owner = owner
        self._connection: psycopg.Connection | None = None
        self._lock = threading.Lock()

    def _open(self) -> psycopg.Connection:
        with self._lock:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(self._conninfo, autocommit=True)
            return self._connection

    def close(self) -> None:
        """Closes the connection, if there is one."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def dead_letters(self, most: int) -> list[Buried]:
        """The oldest that aren't published, in the order of their offsets; those of a topic's former self too.

        Their values have _VALUE_BYTES in all, or it is one.
        """
        rows = self._open().execute(
            """
            WITH oldest AS (
                SELECT d.topic_id, d.partition, d."offset", d.digest, octet_length(d.value) AS bytes
                FROM dead_letters d JOIN kafka_offsets o USING (topic, partition)
                WHERE d.published_at IS NULL AND o.owner = %(owner)s
                ORDER BY d.topic_id, d.partition, d."offset" LIMIT %(most)s
            ), bounded AS (
                SELECT *, sum(bytes) OVER (ORDER BY topic_id, partition, "offset", digest) - bytes AS before
                FROM oldest
            )
            SELECT d.topic, d.topic_id, d.partition, d."offset", d.key, d.value, d.headers, d.code, d.detail, d.at,
                d.digest
            FROM bounded JOIN dead_letters d USING (topic_id, partition, "offset", digest)
            WHERE coalesce(before, 0) < %(bytes)s
            ORDER BY d.topic_id, d.partition, d."offset"
            """,
            {"owner": self._owner, "most": most, "bytes": _VALUE_BYTES},
        )
        return [Buried(*row) for row in rows]

    def unacknowledged(self, codes: Collection[str], among: bool, most: int) -> list[Buried]:
        """The oldest dead letters, with a code among these or not, that have no error ack yet; without their bytes."""
        rows = self._open().execute(
            """
            SELECT d.topic, d.topic_id, d.partition, d."offset", NULL, NULL, '[]'::jsonb, d.code, d.detail, d.at,
                d.digest
            FROM dead_letters d JOIN kafka_offsets o USING (topic, partition)
            WHERE d.acked_at IS NULL AND o.owner = %s AND (d.code = ANY (%s)) = %s
            ORDER BY d.topic_id, d.partition, d."offset" LIMIT %s
            """,
            [self._owner, list(codes), among, most],
        )
        return [Buried(*row) for row in rows]

    def backlog(self) -> int:
        """How many success acks aren't published."""
        rows = self._open().execute(
            "SELECT count(*) FROM kafka_offsets o JOIN outbox b USING (topic_id, partition)"
            " WHERE o.owner = %s AND b.first_offset >= o.acked_offset",
            [self._owner],
        )
        return int(rows.fetchall()[0][0])

    def acks(self, most: int) -> list[SuccessAck]:
        """The oldest that aren't published, in the order of their offsets; what a closed chapter left comes first.

        `most` of closed chapters, and of the open ones, at most.
        """
        rows = self._open().execute(
            """
            (SELECT d.topic, d.topic_id, d.partition, b.first_offset, b.last_offset, b.persisted, b.duplicates,
                b.conflicts, b.dead_lettered, b.committed_at, d.id, true
            FROM kafka_offsets o JOIN offset_decisions d USING (topic, partition) JOIN outbox_closed b
                ON b.decision = d.id
            WHERE o.owner = %(owner)s AND b.first_offset >= d.acked_offset
            ORDER BY d.id, b.first_offset LIMIT %(most)s)
            UNION ALL
            (SELECT o.topic, b.topic_id, b.partition, b.first_offset, b.last_offset, b.persisted, b.duplicates,
                b.conflicts, b.dead_lettered, b.committed_at, o.chapter, false
            FROM kafka_offsets o JOIN outbox b USING (topic_id, partition)
            WHERE o.owner = %(owner)s AND b.first_offset >= o.acked_offset
            ORDER BY b.topic_id, b.partition, b.first_offset LIMIT %(most)s)
            """,
            {"owner": self._owner, "most": most},
        )
        found = [SuccessAck(*row) for row in rows]
        closed = [ack for ack in found if ack.closed]
        return closed if len(closed) == most else closed + [ack for ack in found if not ack.closed]

    def mark_acks(self, acks: Sequence[SuccessAck]) -> None:
        """Kafka has these, which are in the order of their offsets."""
        reached = {(a.topic, a.partition, a.topic_id, a.chapter, a.closed): a.last_offset + 1 for a in acks}
        for (topic, partition, topic_id, chapter, closed), offset in sorted(reached.items()):
            if closed:
                self._open().execute(
                    "UPDATE offset_decisions SET acked_offset = greatest(acked_offset, %s) WHERE id = %s",
                    [offset, chapter],
                )
            else:  # unless an operator has closed the chapter meanwhile: then it is told again
                self._open().execute(
                    "UPDATE kafka_offsets SET acked_offset = greatest(acked_offset, %s)"
                    " WHERE topic = %s AND partition = %s AND topic_id = %s AND owner = %s AND chapter = %s",
                    [offset, topic, partition, topic_id, self._owner, chapter],
                )

    def mark_dead_letters(self, dead: Sequence[Buried]) -> None:
        """The dead-letter topic has these."""
        self._mark("published_at", dead)

    def mark_errors(self, dead: Sequence[Buried]) -> None:
        """Their error acks are published."""
        self._mark("acked_at", dead)

    def _mark(self, column: str, dead: Sequence[Buried]) -> None:
        statement = sql.SQL(
            "UPDATE dead_letters SET {} = now()"
            " FROM unnest(%s::text[], %s::int4[], %s::int8[], %s::bytea[])"
            " AS done (topic_id, partition, at_offset, digest)"
            ' WHERE (dead_letters.topic_id, dead_letters.partition, dead_letters."offset", dead_letters.digest)'
            " = (done.topic_id, done.partition, done.at_offset, done.digest)"
        ).format(sql.Identifier(column))
        keys = zip(*((d.topic_id, d.partition, d.offset, d.digest) for d in dead), strict=True)
        self._open().execute(statement, list(map(list, keys)))


def bury(cursor: psycopg.Cursor, batch: Batch) -> None:
    """Stores the dead letters; one that is there already, read again or replayed twice, counts as a duplicate.

    There already: its bytes at its place. Other bytes at that place are of a record that Kafka has lost since.
    """
    if not batch.dead:
        return
    positions, letters = zip(*batch.dead.items(), strict=True)
    known = set()
    cursor.executemany(
        'INSERT INTO dead_letters (topic_id, partition, "offset", topic, key, value, headers, code, detail,'
        " digest, replay_digest) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        ' ON CONFLICT DO NOTHING RETURNING "offset"',
        [_dead_letter_row(batch.spans[dead.slot].claim, dead) for dead in letters],
        returning=True,
    )
    for position, dead, inserted in zip(positions, letters, cursor.results(), strict=True):
        if not inserted.rowcount:
            known.add(position)
            batch.spans[dead.slot].dead_letters -= 1
            batch.spans[dead.slot].duplicates += 1
    batch.known = frozenset(known)


def _dead_letter_row(claim: Claim, dead: DeadLetter) -> tuple[object, ...]:
    headers = [[name, None if value is None else b64encode(value).decode()] for name, value in dead.headers]
    where = (claim.topic_id, claim.partition, dead.offset, claim.topic)
    # A header's name may hold a NUL, which jsonb refuses.
    text = json.dumps(headers).replace("\\u0000", "\\ufffd")
    digests = record_digest(dead.key, dead.value), _replay_digest(dead)
    return *where, dead.key, dead.value, text, dead.code, dead.detail, *digests


def record_digest(key: bytes | None, value: bytes | None) -> bytes:
    """What tells records of one place apart; the same as the SQL function of this name."""
    size = -1 if key is None else len(key)
    return hashlib.sha256(struct.pack(">i", size) + (key or b"") + (b"" if value is None else b"\x01" + value)).digest()


def _replay_digest(dead: DeadLetter) -> bytes | None:
    """Of a replay's origin, attempt and bytes: a second copy of it is the same dead letter. None: it is no replay."""
    headers = dict(dead.headers)
    if REPLAY_OF not in headers:
        return None
    parts = (headers[REPLAY_OF], headers.get(REPLAY_ATTEMPT), dead.key, dead.value)
    return hashlib.sha256(b"".join(b"%d:%b" % (len(part or b""), part or b"") for part in parts)).digest()
