"""All of ingestion's SQL: claims, ids, and the one transaction that a batch is."""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import numpy as np
import numpy.typing as npt
import psycopg

from ingestion_service import offsets, outbox
from ingestion_service.batch import Batch, Claim, Span
from ingestion_service.columns import Rows, copy_blocks, late_buckets
from ingestion_service.offsets import Fenced
from ingestion_service.pairs import Pairs
from shared import db, pgcopy, tracing
from shared.failpoints import Failpoints

_EVENT_COLUMNS = "device, ts, layout, values, extras"
_COPY = {"db.system.name": "postgresql", "db.operation.name": "COPY", "db.collection.name": "events"}
_COMMIT = {"db.system.name": "postgresql", "db.operation.name": "COMMIT"}
_EPOCH_DAY = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Position:
    """Where `kafka_offsets` stands for a partition."""

    owner: UUID
    epoch: int
    next_offset: int


class Store:
    """One connection, for one thread. Every method is a transaction of its own unless it says otherwise."""

    def __init__(self, conninfo: str, owner: UUID, failpoints: Failpoints) -> None:
        self._conninfo = conninfo
        self._owner = owner
        self._failpoints = failpoints
        self._connection: psycopg.Connection | None = None

    @property
    def connection(self) -> psycopg.Connection:
        """The connection, made anew if it broke."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._conninfo, autocommit=True)
            # A transaction that waits longer is retried; the limits also end a session whose client froze.
            self._connection.execute(
                "SELECT set_config('lock_timeout', '5s', false), set_config('statement_timeout', '60s', false),"
                " set_config('idle_in_transaction_session_timeout', '15s', false)"
            )
            # No limit reaches into a COPY, nor a message that came by half, whose client vanished: its rows stay
            # locked, and who waits for them times out, and gets here.
            self._connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user"
                " AND datname = current_database() AND application_name = current_setting('application_name')"
                " AND xact_start IS NOT NULL AND wait_event = 'ClientRead' AND state_change < now() - interval '15 s'"
            )
        return self._connection

    def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def claim(self, topic: str, partition: int, topic_id: str, low: int) -> Claim | None:
        """Fences every other owner of the partition; its first claim starts at `low`.

        None: the row is of another topic of that name, which was deleted and made again.
        """
        row = self.connection.execute(
            """
            INSERT INTO kafka_offsets AS o
                (topic, partition, topic_id, first_offset, next_offset, acked_offset, owner, owner_epoch)
            VALUES (%(topic)s, %(partition)s, %(topic_id)s, %(low)s, %(low)s, %(low)s, %(owner)s, 1)
            ON CONFLICT (topic, partition) DO UPDATE
            SET owner = excluded.owner, owner_epoch = o.owner_epoch + 1, updated_at = now()
            WHERE o.topic_id = excluded.topic_id
            RETURNING owner_epoch, next_offset, leader_epoch, truncated
            """,
            {"topic": topic, "partition": partition, "topic_id": topic_id, "low": low, "owner": self._owner},
        ).fetchone()
        return None if row is None else Claim(topic, partition, topic_id, *row)

    def mark_truncated(self, claim: Claim) -> None:
        """Kafka lost records of this partition: every claim says so from now on."""
        self.connection.execute(
            "UPDATE kafka_offsets SET truncated = true"
            " WHERE topic = %s AND partition = %s AND owner = %s AND owner_epoch = %s",
            [claim.topic, claim.partition, self._owner, claim.epoch],
        )

    def confirm(self, claims: Sequence[Claim]) -> None:
        """Returns if these claims stand.

        Raises:
            Fenced: they don't.
        """
        rows = self.connection.execute(
            "SELECT partition, owner, owner_epoch FROM kafka_offsets WHERE topic = %s AND partition = ANY (%s)",
            [claims[0].topic, [claim.partition for claim in claims]],
        ).fetchall()
        if lost := {(claim.partition, self._owner, claim.epoch) for claim in claims} - set(rows):
            raise Fenced({partition for partition, _, _ in lost})

    def positions(self, spans: Sequence[Span]) -> list[Position | None]:
        """Where the database stands for each span's partition."""
        topic = spans[0].claim.topic
        rows = self.connection.execute(
            "SELECT partition, owner, owner_epoch, next_offset FROM kafka_offsets"
            " WHERE topic = %s AND partition = ANY (%s)",
            [topic, [span.claim.partition for span in spans]],
        ).fetchall()
        found = {row[0]: Position(*row[1:]) for row in rows}
        return [found.get(span.claim.partition) for span in spans]

    def committed(self, spans: Sequence[Span]) -> bool:
        """After a connection broke at COMMIT: did it happen?

        Raises:
            Fenced: neither before nor after this batch.
        """
        positions = self.positions(spans)
        if positions == [Position(self._owner, span.claim.epoch, span.stop) for span in spans]:
            return True
        before = [Position(self._owner, span.claim.epoch, span.start) for span in spans]
        wrong = {s.claim.partition for s, p, b in zip(spans, positions, before, strict=True) if p != b}
        if wrong:
            raise Fenced(wrong)
        return False

    def register_devices(self, names: Collection[str], most: int) -> dict[str, int]:
        """Ids of these devices, made where they are new; one that would be over `most` is left out."""
        rows = self.connection.execute(
            "SELECT device_id, id FROM register_devices(%s, %s)", [list(names), most]
        ).fetchall()
        return {str(name): int(id_) for name, id_ in rows}

    def register_layout(self, names: Sequence[str], most: int) -> int | None:
        """The id of this set of metric names; None if it would be over `most`."""
        row = self.connection.execute("SELECT register_layout(%s, %s)", [list(names), most]).fetchone()
        return None if row is None or row[0] is None else int(row[0])

    def ensure_partitions(self, days: Iterable[int]) -> None:
        """Makes the daily partitions that are missing, of days since 1970 (UTC)."""
        dates = [_EPOCH_DAY + timedelta(days=day) for day in sorted(days)]
        self.connection.execute("SELECT ensure_event_partitions(%s::date[])", [dates])

    def repeats(self, rows: Sequence[Rows]) -> list[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
        """Which of these rows are in `events` already, and which of those with other values."""
        with self._transaction() as cursor:
            cursor.execute(
                "CREATE TEMPORARY TABLE IF NOT EXISTS incoming (device int4, ts timestamptz, layout int4,"
                " values float8[], extras jsonb, number int4) ON COMMIT DELETE ROWS"
            )
            numbered = np.split(np.arange(sum(map(len, rows)), dtype=np.int32), np.cumsum(list(map(len, rows)))[:-1])
            blocks = (block for r, n in zip(rows, numbered, strict=True) for block in copy_blocks(r, n))
            _copy(cursor, f"COPY incoming ({_EVENT_COLUMNS}, number) FROM STDIN (FORMAT binary)", blocks)
            # Look each one up by the key: a hash join would read the whole table.
            cursor.execute("SET LOCAL enable_hashjoin = off")
            cursor.execute("SET LOCAL enable_mergejoin = off")
            cursor.execute(
                "SELECT i.number, e.values IS DISTINCT FROM i.values FROM incoming i"
                " JOIN events e USING (device, ts, layout)"
                " WHERE e.ts BETWEEN (SELECT min(ts) FROM incoming) AND (SELECT max(ts) FROM incoming)"
            )
            found = cursor.fetchall()
        hit = np.zeros(sum(map(len, rows)), np.bool_)
        differs = hit.copy()
        hit[[number for number, _ in found]] = True
        differs[[number for number, other in found if other]] = True
        return [(hit[n], differs[n]) for n in numbered]

    def refuses(self, rows: Rows) -> bool:
        """Whether the database refuses a value of these rows; nothing stays written."""
        connection = self.connection
        try:
            with connection.transaction(force_rollback=True), connection.cursor() as cursor:
                _copy(cursor, f"COPY events ({_EVENT_COLUMNS}) FROM STDIN (FORMAT binary)", copy_blocks(rows))
        except psycopg.errors.UniqueViolation:
            return False
        except psycopg.Error as error:
            if lacks_partition(error) or db.classify(error) is not db.Fault.POISON:
                raise
            return True
        return False

    def write(self, batch: Batch, rows: Sequence[Rows], blocks: Sequence[bytes], pairs: Pairs) -> int:
        """The batch in one transaction: events, offsets, acks, dead letters, late buckets. Returns the late events.

        The compare-and-set comes after the COPY: a client that froze inside COPY while it held the offsets' rows
        would escape the server's time limits and block the next owner.

        Raises:
            Fenced: an offset isn't where we left it, or isn't ours.
            psycopg.errors.UniqueViolation: an event is there already; see `repeats`.
        """
        with self._transaction() as cursor:
            if rows:
                started = time.monotonic()
                with tracing.child("COPY events", "client", _COPY):
                    _copy(cursor, f"COPY events ({_EVENT_COLUMNS}) FROM STDIN (FORMAT binary)", blocks)
                batch.copy_seconds = time.monotonic() - started
            self._failpoints.hit("ingestion.after_copy")
            outbox.bury(cursor, batch)
            offsets.advance(self.connection, batch.spans, self._owner)
            self._failpoints.hit("ingestion.after_compare_and_set")
            if len(pairs.device):
                _pair(self.connection, pairs)
            events = _log_late(cursor, rows)
            self._failpoints.hit("ingestion.before_commit")
        self._failpoints.hit("ingestion.after_commit")
        return events

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Cursor]:
        connection = self.connection
        with tracing.Last("COMMIT", "client", _COMMIT) as commit, connection.transaction():
            with connection.cursor() as cursor:
                yield cursor
            commit.start()


def is_repeat(error: psycopg.Error) -> bool:
    """Whether an event was there already; a repeated key of another table is a fault of ours."""
    return isinstance(error, psycopg.errors.UniqueViolation) and (error.diag.table_name or "").startswith("events")


def lacks_partition(error: psycopg.Error) -> bool:
    """Whether a row had no partition to go to: a check violation of no constraint."""
    return isinstance(error, psycopg.errors.CheckViolation) and error.diag.constraint_name is None


def _copy(cursor: psycopg.Cursor, statement: str, blocks: Iterable[bytes]) -> None:
    with cursor.copy(statement.encode()) as copy:
        copy.write(pgcopy.HEADER)
        for block in blocks:
            copy.write(block)
        copy.write(pgcopy.TRAILER)


def _pair(connection: psycopg.Connection, pairs: Pairs) -> None:
    """Notes that these devices send these layouts."""
    connection.execute(
        "INSERT INTO device_layouts SELECT * FROM unnest(%s::int4[], %s::int4[]) ON CONFLICT DO NOTHING",
        [pairs.device.tolist(), pairs.layout.tolist()],
    )


def _log_late(cursor: psycopg.Cursor, rows: Sequence[Rows]) -> int:
    """Logs the buckets below the watermark that these rows touch, and returns how many events did.

    FOR SHARE: until we commit, the aggregator can't move the watermark past what we read.
    """
    levels = cursor.execute("SELECT level, extract(epoch FROM watermark)::float8 FROM watermarks FOR SHARE").fetchall()
    watermark = max((moment for _, moment in levels), default=-np.inf)
    if not rows or watermark == -np.inf:
        return 0
    late = late_buckets(rows, min(level for level, _ in levels) * 1_000_000, int(watermark * 1_000_000))
    if late is None:
        return 0
    cursor.execute(
        "INSERT INTO dirty (bucket, device, layout, events)"
        " SELECT to_timestamp(b / 1000000), d, l, n FROM unnest(%s::int8[], %s::int4[], %s::int4[], %s::int4[])"
        " AS late (b, d, l, n)",
        [late.bucket.tolist(), late.device.tolist(), late.layout.tolist(), late.events.tolist()],
    )
    return int(late.events.sum())
