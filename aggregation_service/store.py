"""A connection of the aggregator: whose turn it is, levels, events."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import LiteralString

import numpy as np
import numpy.typing as npt
import psycopg

from aggregation_service.statistics_store import Change, changing
from aggregation_service.windows import Level, Target
from shared.statistics import PACKED, unpack
from shared.statistics.readings import Readings

_LOCK = "plumbline.aggregation"
_DAY_S = 86_400
_ISOLATION = psycopg.IsolationLevel.REPEATABLE_READ

# A frozen aggregator is ended by the server, so that another can take its place. A slice is a small part of a
# partition, which the planner can't always know: it must never read the whole of it.
_SESSION: LiteralString = """
SELECT set_config('timezone', 'UTC', false), set_config('jit', 'off', false), set_config('work_mem', '64MB', false),
    set_config('enable_seqscan', 'off', false), set_config('lock_timeout', '5s', false),
    set_config('statement_timeout', '10min', false), set_config('idle_in_transaction_session_timeout', '60s', false),
    set_config('idle_session_timeout', %s, false)
"""
_SPAN: LiteralString = "ts >= to_timestamp(%(start)s) AND ts < to_timestamp(%(end)s)"


class TurnLost(Exception):
    """Another aggregator does the work now."""


class Store:
    """One connection, for one thread. A method is a transaction of its own, or part of the caller's `changing`."""

    def __init__(self, conninfo: str, idle_seconds: float = 0) -> None:
        self._conninfo = conninfo
        self._idle_ms = round(idle_seconds * 1000)
        self._connection: psycopg.Connection | None = None
        self._epoch: int | None = None
        self._partitions: set[tuple[int, int]] = set()
        self.layouts: dict[int, npt.NDArray[np.int32]] = {}

    @property
    def connection(self) -> psycopg.Connection:
        """The connection, made anew if it broke."""
        if self._connection is None or self._connection.closed:
            connection = psycopg.connect(self._conninfo, autocommit=True)
            connection.isolation_level = _ISOLATION
            connection.execute(_SESSION, [str(self._idle_ms)])
            self._connection = connection
            self._epoch = None
            self._partitions.clear()  # a rollback, or another process, may have taken them away
        return self._connection

    def close(self) -> None:
        """Closes the connection, if there is one; gives up the turn."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def cancel(self) -> None:
        """Ends the statement that runs, from another thread."""
        connection = self._connection
        if connection is not None and not connection.closed:
            with suppress(psycopg.Error):  # it ended by itself
                connection.cancel_safe(timeout=2)

    def show_life(self) -> None:
        """Keeps the turn while other connections work."""
        self.connection.execute("SELECT")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One transaction in which all reads see the same."""
        with self.connection.transaction():
            yield

    # The turn

    def take_turn(self) -> int | None:
        """The epoch of this process's turn; None: another does the work. It lasts as long as this connection."""
        held = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted"
        if self._epoch is not None and self.connection.execute(held).rowcount:
            return self._epoch
        self._end_frozen()
        row = self.connection.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [_LOCK]).fetchone()
        if row is None or not row[0]:
            return None
        # Waits for the transactions that workers of the turn before have under way.
        row = self.connection.execute("UPDATE aggregation_turn SET epoch = epoch + 1 RETURNING epoch").fetchone()
        self._epoch = row[0] if row else None
        return self._epoch

    def _end_frozen(self) -> None:
        """Ends sessions of aggregators that stopped in the middle of a message: no limit of Postgres reaches there."""
        self.connection.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()
                AND application_name = current_setting('application_name')
                AND xact_start IS NOT NULL AND wait_event = 'ClientRead' AND state_change < now() - interval '60 s'
            """
        )

    @contextmanager
    def changing(self, epoch: int) -> Iterator[Change]:
        """A transaction of one snapshot that reads events and changes statistics.

        Raises:
            TurnLost: another process took the turn of this epoch.
        """
        with changing(self.connection) as change:
            held = self.connection.execute("SELECT FROM aggregation_turn WHERE epoch = %s FOR SHARE", [epoch])
            if not held.rowcount:
                raise TurnLost
            yield change

    # Levels

    def levels(self) -> list[Level]:
        """All levels, short to long."""
        rows = self.connection.execute(
            """
            SELECT level,
                CASE WHEN isfinite(watermark) THEN extract(epoch FROM watermark)::int8 END,
                CASE WHEN isfinite(until) THEN extract(epoch FROM until)::int8 END
            FROM watermarks JOIN materialized USING (level) ORDER BY level
            """
        ).fetchall()
        return [Level(*row) for row in rows]

    def add_levels(self, widths: Sequence[int]) -> None:
        """Starts levels that aren't there yet."""
        with self.connection.transaction():
            # FOR SHARE locks rows that are there: without this, an ingesting transaction could miss a new one.
            self.connection.execute("LOCK TABLE watermarks IN EXCLUSIVE MODE")
            for table in ("watermarks", "materialized"):
                self.connection.execute(
                    f"INSERT INTO {table} (level) SELECT unnest(%s::int4[]) ON CONFLICT DO NOTHING",
                    [list(widths)],
                )

    def move_watermarks(self, widths: Sequence[int], delay_seconds: float) -> None:
        """Closes the buckets that ended `delay_seconds` ago, by the database's clock; `widths` go from short to long.

        Waits for ingesting transactions that hold the rows: what they wrote is visible to the next snapshot, and
        whoever comes after logs what is late. At one moment for all: no day is closed before its last minute.
        """
        row = self.connection.execute("SELECT extract(epoch FROM now())::float8").fetchone()
        moment = (row[0] if row else 0.0) - delay_seconds
        for width in widths:
            until = moment // width * width
            self.connection.execute(
                """
                UPDATE watermarks SET watermark = to_timestamp(%(until)s), moved_at = now()
                WHERE level = %(level)s AND watermark < to_timestamp(%(until)s)
                """,
                {"until": until, "level": width},
            )

    def store_until(self, levels: Iterable[tuple[int, int]]) -> None:
        """Says of (width, moment) that buckets before the moment are stored.

        Raises:
            TurnLost: this connection hasn't the turn (any more).
        """
        with self.connection.transaction():
            if self._epoch is None:
                raise TurnLost
            for width, moment in levels:
                self.connection.execute(
                    "UPDATE materialized SET until = to_timestamp(%s), updated_at = now() WHERE level = %s",
                    [moment, width],
                )

    # Events

    def first_day_with_events(self, since: int | None) -> int | None:
        """The start of the first UTC day from that of `since` on that has events."""
        row = self.connection.execute(
            """
            SELECT extract(epoch FROM day::timestamptz)::int8
            FROM (
                SELECT to_date(substring(relname FROM '^events_(\\d{8})$'), 'YYYYMMDD') AS day
                FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'events'::regclass
            ) AS partitions
            WHERE (%(since)s::int8 IS NULL OR day >= to_timestamp(%(since)s::int8)::date)
                AND EXISTS (SELECT FROM events WHERE ts >= day::timestamptz AND ts < (day + 1)::timestamptz)
            ORDER BY day LIMIT 1
            """,
            {"since": since},
        ).fetchone()
        return row[0] if row else None

    def devices(self) -> tuple[int, int]:
        """The least and the greatest device id; (0, 0): there are none."""
        row = self.connection.execute("SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM devices").fetchone()
        return row or (0, 0)

    def readings_of_range(self, start: int, end: int, first: int, last: int | None) -> tuple[Readings, list[int]]:
        """Readings of a time range, of devices from `first` up to before `last` (None: all).

        And which of them have events there: one without metrics has no readings.
        """
        return self._readings(
            "device >= %(first)s AND device < coalesce(%(last)s, 2147483647)",
            {"start": start, "end": end, "first": first, "last": last},
        )

    def readings_of_devices(self, start: int, end: int, devices: Sequence[int]) -> Readings:
        """Readings of a time range, of these devices."""
        parameters = {"start": start, "end": end, "devices": list(devices)}
        return self._readings("device = ANY (%(devices)s)", parameters)[0]

    def _readings(self, which: LiteralString, parameters: Mapping[str, object]) -> tuple[Readings, list[int]]:
        query: LiteralString = f"SELECT device, {PACKED} FROM events WHERE {_SPAN} AND {which} GROUP BY layout, device"  # noqa: S608
        with self.connection.cursor(binary=True) as cursor:
            packs = cursor.execute(query, parameters).fetchall()
        self.load_layouts({layout for _, layout, _ in packs})
        devices = sorted({device for device, _, _ in packs})
        return unpack([(layout, pack) for _, layout, pack in packs], self.layouts), devices

    def load_layouts(self, ids: Iterable[int]) -> None:
        """Makes sure that `layouts` has the metric ids of these; a layout never changes."""
        if missing := [layout for layout in ids if layout not in self.layouts]:
            for layout, metrics in self.connection.execute(
                "SELECT id, metric_ids FROM layouts WHERE id = ANY (%s)", [missing]
            ):
                self.layouts[layout] = np.array(metrics, np.int32)

    def make_partitions(self, targets: Iterable[Target]) -> None:
        """Makes the partitions that these buckets need."""
        for target in targets:
            days = {(target.width, day) for day in range(target.start // _DAY_S, -(-target.end // _DAY_S))}
            if not days <= self._partitions:
                self.connection.execute(
                    "SELECT ensure_stats_partitions(%s, to_timestamp(%s), to_timestamp(%s))",
                    [target.width, target.start, target.end],
                )
                self._partitions |= days

    def clear_outbox(self, most: int) -> int:
        """Deletes at most so many acks that were published; returns how many."""
        return self.connection.execute(
            """
            DELETE FROM outbox WHERE ctid = ANY (ARRAY(
                SELECT outbox.ctid FROM outbox
                JOIN kafka_offsets o ON o.topic_id = outbox.topic_id AND o.partition = outbox.partition
                WHERE outbox.last_offset < o.acked_offset LIMIT %s
            ))
            """,
            [most],
        ).rowcount
