"""The SQL of plumbline backfill."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import psycopg
from psycopg.rows import dict_row

from aggregation_service.windows import Target
from ops import statistics_store
from ops.backfill.changes import Counts, Waiting
from ops.backfill.plan import Job, Position, Range, Request
from ops.moments import at
from ops.statistics_store import Chosen
from shared.statistics import Partials

_TIMES = ("from_time", "to_time", "next_time")
_SECONDS = ", ".join(f"extract(epoch FROM {name})::int8 AS {name}" for name in _TIMES)
_JOB = f"id, levels, devices, fleet, {_SECONDS}, next_device, started_at"

# As long as its connection lives, one process works at a backfill.
LOCK = "SELECT pg_try_advisory_lock(hashtext('plumbline.backfill'), %s) AS mine"

UNFINISHED = f"""
    SELECT {_JOB} FROM backfills
    WHERE finished_at IS NULL AND asked_from = %(asked_from)s AND asked_to = %(asked_to)s
        AND levels = %(levels)s::int4[] AND devices IS NOT DISTINCT FROM %(devices)s::int4[] AND fleet = %(fleet)s
    ORDER BY id DESC LIMIT 1
"""  # noqa: S608  made of constants

# A range that ends some time ago has moved on since.
EXTEND = f"""
    UPDATE backfills SET to_time = greatest(to_time, to_timestamp(%(end)s)), updated_at = now() WHERE id = %(id)s
    RETURNING {_JOB}
"""  # noqa: S608  made of constants

BEGIN = f"""
    INSERT INTO backfills (who, asked_from, asked_to, from_time, to_time, next_time, levels, devices, fleet)
    VALUES (%(who)s, %(asked_from)s, %(asked_to)s, to_timestamp(%(start)s), to_timestamp(%(end)s),
        to_timestamp(%(first)s), %(levels)s, %(devices)s, %(fleet)s)
    RETURNING {_JOB}
"""  # noqa: S608  made of constants

ADVANCE = """
    UPDATE backfills
    SET next_time = to_timestamp(%(day)s), next_device = %(device)s, readings = readings + %(readings)s,
        compared = compared + %(compared)s, changed = changed + %(changed)s, waiting = waiting + %(waiting)s,
        kept = kept + %(kept)s, updated_at = now()
    WHERE id = %(id)s
"""

# Days of which there are events or stored rows, by the bounds of their partitions.
DAYS = """
    WITH bounds AS (
        SELECT i.inhparent = 'events'::regclass AS events,
            regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \\('([^']*)'\\) TO \\('([^']*)'\\)$$) AS bound
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'events'::regclass
            OR i.inhparent = ANY (SELECT to_regclass('public.stats_' || level) FROM unnest(%(levels)s::int4[]) AS level)
    )
    SELECT extract(epoch FROM day)::int8, bool_or(events)
    FROM bounds CROSS JOIN LATERAL generate_series(
        greatest(bound[1]::timestamptz, date_trunc('day', to_timestamp(%(start)s), 'UTC')),
        least(bound[2]::timestamptz, to_timestamp(%(end)s)) - interval '1 microsecond', interval '24 hours'
    ) AS day
    GROUP BY day
"""

STORED = """
    SELECT count(*) FROM stats
    WHERE level = %(level)s AND bucket >= to_timestamp(%(start)s) AND bucket < to_timestamp(%(end)s)
        AND (%(devices)s::int4[] IS NULL OR device = ANY (%(devices)s::int4[]))
"""

WAITING = """
    SELECT DISTINCT device::int8, extract(epoch FROM bucket)::int8 FROM dirty
    WHERE device = ANY (%(devices)s) AND bucket >= to_timestamp(%(start)s) AND bucket < to_timestamp(%(end)s)
"""

LIST = """
    SELECT id, who, from_time AS "from", to_time AS "to", levels, fleet,
        ARRAY(SELECT device_id FROM devices d WHERE d.id = ANY (b.devices) ORDER BY device_id) AS devices,
        readings, compared, changed, waiting, kept, started_at, finished_at,
        CASE WHEN finished_at IS NULL THEN next_time END AS goes_on_at
    FROM backfills b ORDER BY id DESC LIMIT %s
"""


def ids(connection: psycopg.Connection, names: Sequence[str] | None) -> dict[str, int]:
    """Ids of these devices, in the ids' order; None: of all."""
    wanted = None if names is None else list(names)
    return dict(
        connection.execute(
            "SELECT device_id, id FROM devices WHERE %s::text[] IS NULL OR device_id = ANY (%s) ORDER BY id",
            [wanted, wanted],
        ).fetchall()
    )


def unfinished(connection: psycopg.Connection, request: Request) -> Job | None:
    """The newest one of the same command that isn't finished."""
    return next(iter(_jobs(connection, UNFINISHED, request.parameters())), None)


def extend(connection: psycopg.Connection, job: Job, request: Request) -> Job:
    """It goes on, as far as is asked for now."""
    return _jobs(connection, EXTEND, {"id": job.id, "end": request.range.end})[0]


def begin(connection: psycopg.Connection, request: Request, who: str) -> Job:
    """A new one."""
    return _jobs(connection, BEGIN, {**request.parameters(), "who": who})[0]


def _jobs(connection: psycopg.Connection, statement: str, parameters: Mapping[str, object]) -> list[Job]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement.encode(), parameters).fetchall()
    return [
        Job(
            row["id"],
            Range(row["from_time"], row["to_time"], tuple(row["levels"])),
            row["devices"],
            row["fleet"],
            Position(row["next_time"], row["next_device"]),
            row["started_at"],
        )
        for row in rows
    ]


def lock(connection: psycopg.Connection, job: Job) -> bool:
    """Whether no other process works at it."""
    return bool(connection.execute(LOCK, [job.id]).fetchall()[0][0])


def advance(connection: psycopg.Connection, job: Job, position: Position, counts: Counts) -> None:
    """Says how far it is, and what was done since it last did."""
    connection.execute(ADVANCE, {"id": job.id, "day": position.day, "device": position.device, **asdict(counts)})


def finish(connection: psycopg.Connection, job: Job) -> dict[str, Any]:
    """Says that it is done; its row, as `listed` has it."""
    connection.execute("UPDATE backfills SET finished_at = now(), updated_at = now() WHERE id = %s", [job.id])
    return next(row for row in listed(connection, 1_000) if row["id"] == job.id)


def listed(connection: psycopg.Connection, most: int) -> list[dict[str, Any]]:
    """The newest ones, newest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LIST, [most]).fetchall()


def days(connection: psycopg.Connection, span: Range) -> dict[int, bool]:
    """The days of a range that have a partition of events (True), or only one of a level's stored rows."""
    start, end = span.whole()
    return dict(connection.execute(DAYS, {"start": start, "end": end, "levels": list(span.widths)}).fetchall())


def count(connection: psycopg.Connection, target: Target, devices: Sequence[int] | None) -> int:
    """How many rows a target's buckets have, of these devices (None: of all)."""
    where = {"level": target.width, "start": target.start, "end": target.end}
    of = None if devices is None else list(devices)
    return int(connection.execute(STORED, {**where, "devices": of}).fetchall()[0][0])


def stored(connection: psycopg.Connection, target: Target, devices: Sequence[int]) -> Partials:
    """The rows of these devices that a target's buckets have; without those that can't be read."""
    start, end = (at(second * 1_000_000) for second in (target.start, target.end))
    return statistics_store.read(connection, Chosen(target.width, devices, start, end))[0]


def waiting(connection: psycopg.Connection, start: int, end: int, devices: Sequence[int]) -> Waiting:
    """(device, bucket of the finest level in seconds) with late events that the aggregator will work in."""
    rows = connection.execute(WAITING, {"start": start, "end": end, "devices": list(devices)}).fetchall()
    return set(rows)
