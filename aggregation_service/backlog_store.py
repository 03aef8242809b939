"""SQL of the dirty log: late data that isn't in the stored statistics yet."""

from collections.abc import Sequence

import numpy as np
import psycopg

from aggregation_service.lateness import Dirty, Span, Waiting

COUNTED = 100_000  # beyond it, Postgres's own estimate of the entries will do


def waiting(connection: psycopg.Connection, spans: Sequence[Span], most: int) -> Waiting:
    """At most so many (bucket, device) of these spans, which are newest first; the newest are taken.

    However long the log is, no more of it is read than that: it comes in the order of an index.
    """
    found: list[tuple[int, int]] = []
    with connection.cursor(binary=True) as cursor:
        for start, end in spans:
            found += cursor.execute(
                """
                SELECT extract(epoch FROM bucket)::int8, device::int8 FROM (
                    SELECT DISTINCT bucket, device FROM dirty
                    WHERE bucket >= coalesce(to_timestamp(%s), '-infinity') AND bucket < to_timestamp(%s)
                    ORDER BY bucket DESC, device DESC LIMIT %s
                ) newest
                """,
                [start, end, most - len(found)],
            ).fetchall()
            if len(found) == most:
                break
    return Waiting(*np.array(found, np.int64).reshape(-1, 2).T)


def take(connection: psycopg.Connection, start: int, end: int, devices: Sequence[int]) -> Dirty:
    """Deletes what this snapshot sees of a range of buckets and of these devices, and returns it, added up."""
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(
            """
            WITH taken AS (
                DELETE FROM dirty USING unnest(%s::int4[]) AS wanted (id)
                WHERE device = wanted.id AND bucket >= to_timestamp(%s) AND bucket < to_timestamp(%s)
                RETURNING bucket, device, layout, events
            )
            SELECT extract(epoch FROM bucket)::int8, device::int8, layout::int8, sum(events)::int8
            FROM taken GROUP BY bucket, device, layout
            """,
            [list(devices), start, end],
        ).fetchall()
    return Dirty(*np.array(rows, np.int64).reshape(-1, 4).T)


def clear(connection: psycopg.Connection, start: int, end: int, first: int, last: int | None) -> None:
    """Deletes what this snapshot sees of a range of buckets and of devices from `first` up to before `last`."""
    connection.execute(
        """
        DELETE FROM dirty WHERE bucket >= to_timestamp(%s) AND bucket < to_timestamp(%s)
            AND device >= %s AND device < coalesce(%s, 2147483647)
        """,
        [start, end, first, last],
    )


def backlog(connection: psycopg.Connection) -> tuple[int, float]:
    """(entries, seconds that the oldest has waited); the number is an estimate where it is over COUNTED."""
    row = connection.execute(
        """
        SELECT counted, coalesce((SELECT n_live_tup FROM pg_stat_user_tables WHERE relid = 'dirty'::regclass), 0),
            coalesce((SELECT extract(epoch FROM now() - logged_at) FROM dirty ORDER BY id LIMIT 1), 0)::float8
        FROM (SELECT count(*) AS counted FROM (SELECT FROM dirty LIMIT %s) AS first) AS counted
        """,
        [COUNTED + 1],
    ).fetchone()
    counted, estimate, age = row or (0, 0, 0.0)
    return (counted if counted <= COUNTED else max(counted, estimate), age)
