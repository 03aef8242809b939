"""SQL of statistics across devices."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from aggregation_service.fleet_windows import Again, Extension, FleetLevel, begun
from aggregation_service.store import Store
from shared import pgcopy
from shared.statistics import Partials
from shared.statistics.stored import FLEET_COLUMNS, SELECTED, decode_partials, fleet_blocks

# Devices whose ids have this quotient are merged first: memory doesn't grow with the fleet, and a row's bytes depend
# on nothing but the rows that it is made of.
SHARE = 4_096
_CHUNK_BYTES = 16 * 1024 * 1024

# A row of the result: a share's rows of one metric and bucket. The share takes the place of the device.
_SHARES = f"""
COPY (
    SELECT {SELECTED}
    FROM (
        SELECT device / {SHARE} AS device, metric, bucket, count, sum, sum_error, min, max, deviation, late, rank_error,
            summary
        FROM stats WHERE level = %(level)s AND {{chosen}}
    ) s
    GROUP BY s.device, s.metric, s.bucket
) TO STDOUT (FORMAT binary)
"""  # noqa: S608  made of constants
_IN_RANGE = "bucket >= to_timestamp(%(start)s) AND bucket < to_timestamp(%(end)s)"
_LISTED = "metric = ANY (%(metrics)s::int4[]) AND bucket = ANY (%(buckets)s::timestamptz[])"


class FleetStore:
    """Statements on the aggregator's connection; `taking_turns` is the transaction that they are part of."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @contextmanager
    def taking_turns(self) -> Iterator[None]:
        """One snapshot, once nobody who changes stored statistics is under way.

        Raises:
            psycopg.errors.LockNotAvailable: somebody was, for a second.
        """
        with self._store.snapshot():
            self._store.connection.execute("SET LOCAL lock_timeout = '1s'")
            self._store.connection.execute("LOCK TABLE fleet_until IN EXCLUSIVE MODE")
            yield

    def levels(self) -> list[FleetLevel]:
        """All levels of which something is stored, short to long."""
        rows = self._store.connection.execute(
            """
            SELECT level, CASE WHEN isfinite(f.since) THEN extract(epoch FROM f.since)::int8 END,
                extract(epoch FROM f.until)::int8, extract(epoch FROM m.until)::int8
            FROM materialized m LEFT JOIN fleet_until f USING (level) WHERE isfinite(m.until) ORDER BY level
            """
        ).fetchall()
        return [begun(*row) for row in rows]

    def partitions(self, width: int) -> list[tuple[int, int]]:
        """The ranges of time for which the level has partitions, in order."""
        rows = self._store.connection.execute(
            """
            SELECT extract(epoch FROM bounds[1]::timestamptz)::int8, extract(epoch FROM bounds[2]::timestamptz)::int8
            FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid CROSS JOIN LATERAL regexp_match(
                pg_get_expr(relpartbound, pg_class.oid), $$FROM \\('([^']*)'\\) TO \\('([^']*)'\\)$$
            ) AS bounds
            WHERE inhparent = to_regclass('public.stats_' || %s) ORDER BY 1
            """,
            [str(width)],
        ).fetchall()
        return [(start, end) for start, end in rows]

    def shares_of(self, extension: Extension) -> Iterator[Partials]:
        """The stored rows of an extension's buckets, `device` being the share, some at a time.

        All rows that a (share, metric, bucket) has come at once.
        """
        return self._shares(_IN_RANGE, {"level": extension.width, "start": extension.start, "end": extension.end})

    def shares_again(self, piece: Again) -> Iterator[Partials]:
        """The same of rows that are to be made again."""
        return self._shares(_LISTED, _listed(piece))

    def _shares(self, chosen: str, parameters: Mapping[str, object]) -> Iterator[Partials]:
        blocks: list[bytes] = []
        size = 0
        statement = _SHARES.format(chosen=chosen).encode()
        with self._store.connection.cursor() as cursor, cursor.copy(statement, parameters) as copy:
            for row in copy:
                if size > _CHUNK_BYTES:
                    yield decode_partials(b"".join([*blocks, pgcopy.TRAILER]))
                    blocks, size = [pgcopy.HEADER], 0
                blocks.append(bytes(row))
                size += len(row)
        yield decode_partials(b"".join(blocks))

    def extend(self, extension: Extension, rows: Partials) -> None:
        """Stores the rows of an extension, and that they are complete."""
        span = {"level": extension.width, "start": extension.start, "end": extension.end}
        self._delete(_IN_RANGE, span)
        self._copy(extension.width, rows)
        self._store.connection.execute(
            """
            INSERT INTO fleet_until (level, since, until)
            VALUES (%s, coalesce(to_timestamp(%s), '-infinity'), to_timestamp(%s))
            ON CONFLICT (level) DO UPDATE SET since = excluded.since, until = excluded.until
            """,
            [extension.width, extension.since, extension.until],
        )

    def replace(self, piece: Again, rows: Partials) -> None:
        """Stores rows anew, and that they are what they should be."""
        self._delete(_LISTED, _listed(piece))
        self._copy(piece.width, rows)

    def stale(self, most: int) -> list[tuple[int, int, int]]:
        """(level, metric, bucket) of at most so many entries about rows that are there, the newest buckets first."""
        return self._store.connection.execute(
            """
            SELECT f.level, f.metric, extract(epoch FROM f.bucket)::int8
            FROM fleet_stale f JOIN fleet_until u ON u.level = f.level AND f.bucket >= u.since AND f.bucket < u.until
            ORDER BY f.bucket DESC LIMIT %s
            """,
            [most],
        ).fetchall()

    def _delete(self, chosen: str, parameters: Mapping[str, object]) -> None:
        """Rows, and the entries about them that this snapshot sees."""
        for table in ("fleet_stats", "fleet_stale"):
            statement = f"DELETE FROM {table} WHERE level = %(level)s AND {chosen}"  # noqa: S608  made of constants
            self._store.connection.execute(statement.encode(), parameters)

    def _copy(self, width: int, rows: Partials) -> None:
        copy_in = f"COPY fleet_stats ({FLEET_COLUMNS}) FROM STDIN (FORMAT binary)".encode()
        with self._store.connection.cursor() as cursor, cursor.copy(copy_in) as copy:
            copy.write(pgcopy.HEADER)
            for block in fleet_blocks(width, rows):
                copy.write(block)
            copy.write(pgcopy.TRAILER)


def _listed(piece: Again) -> dict[str, object]:
    buckets = [datetime.fromtimestamp(bucket, UTC) for bucket in piece.buckets]
    return {"level": piece.width, "metrics": list(piece.metrics), "buckets": buckets}
