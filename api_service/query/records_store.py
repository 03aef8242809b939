"""SQL of /records: events of devices in a range of time, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import args_row, class_row

from api_service.query import times
from api_service.query.events import Stored
from api_service.query.store import VISIBLE, like_patterns

# A condition that is always true. Events come in the order of the primary key, backwards: the planner, which can't know
# how little of a range is wanted, is kept from collecting and sorting it in the transaction's statements that follow.
BY_INDEX = """
(SELECT set_config('enable_sort', 'off', true) || set_config('enable_bitmapscan', 'off', true)
    || set_config('enable_seqscan', 'off', true)) <> ''
"""

_DEVICES = f"""
SELECT now() AS as_of, d.id, d.device_id, ARRAY(
        SELECT dl.layout FROM device_layouts dl JOIN layouts l ON l.id = dl.layout
        WHERE dl.device = d.id AND l.metrics && %(metrics)s::text[]
    ) AS layouts
FROM devices d
WHERE {BY_INDEX} AND {VISIBLE} AND d.device_id = ANY (%(device_ids)s)
"""  # noqa: S608  made of constants

# Small extras come with their event. Of others, which may be a megabyte each, only what they take in the table.
_SMALL = "pg_column_size(e.extras) <= 256 AND pg_column_compression(e.extras) IS NULL"
EVENT = f"""
e.ts, e.layout, e.values, CASE WHEN {_SMALL} THEN e.extras::text END AS extras,
CASE WHEN {_SMALL} THEN 0 ELSE coalesce(pg_column_size(e.extras), 0) END AS large
"""

# The bounds are constants, so that partitions outside of them aren't even opened: there is nothing to prepare.
_EVENTS = f"""
SELECT d.id AS device, {EVENT}
FROM unnest(%(devices)s::int4[]) AS d (id)
CROSS JOIN LATERAL (
    SELECT ts, layout, values, extras FROM events
    WHERE device = d.id AND {{within}} AND (%(layouts)s::int4[] IS NULL OR layout = ANY (%(layouts)s::int4[]))
    ORDER BY ts DESC FETCH FIRST %(most)s ROWS WITH TIES
) e
ORDER BY e.ts DESC FETCH FIRST %(most)s ROWS WITH TIES
"""  # noqa: S608  made of constants

_EXTRAS = """
SELECT e.extras::text
FROM unnest(%(device)s::int4[], %(ts)s::timestamptz[], %(layout)s::int4[])
    WITH ORDINALITY AS key (device, ts, layout, number)
CROSS JOIN LATERAL (
    SELECT extras FROM events WHERE device = key.device AND ts = key.ts AND layout = key.layout AND {within} OFFSET 0
) e
ORDER BY key.number
"""


@dataclass(frozen=True, slots=True)
class Device:
    """A device that may be seen, and those of its layouts that have a metric that is asked for."""

    as_of: datetime
    id: int
    device_id: str
    layouts: list[int]


async def devices(
    connection: psycopg.AsyncConnection,
    allowed: Sequence[str] | None,
    device_ids: Sequence[str],
    metrics: Sequence[str],
) -> list[Device]:
    """The first statement of the snapshot: those of these devices that a token's patterns cover."""
    parameters = {"patterns": like_patterns(allowed), "device_ids": list(device_ids), "metrics": list(metrics)}
    async with connection.cursor(row_factory=class_row(Device)) as cursor:
        return await (await cursor.execute(_DEVICES, parameters)).fetchall()


async def events(
    connection: psycopg.AsyncConnection,
    of: Sequence[int],
    layouts: Sequence[int] | None,
    start: int,
    end: int,
    most: int,
) -> list[Stored]:
    """The `most` newest events of these devices in [start, end), and all that are as old as the last of them.

    `layouts`: of these only.
    """
    parameters = {"devices": list(of), "layouts": None if layouts is None else list(layouts), "most": most}
    statement = _EVENTS.format(within=_within(start, end))
    async with connection.cursor(row_factory=args_row(Stored), binary=True) as cursor:
        return await (await cursor.execute(statement.encode(), parameters, prepare=False)).fetchall()


async def extras(connection: psycopg.AsyncConnection, rows: Sequence[Stored]) -> list[str]:
    """Their extras, in order, as JSON."""
    first, last = (times.micros_of(pick(row.ts for row in rows)) for pick in (min, max))
    cursor = await connection.execute(_EXTRAS.format(within=_within(first, last + 1)).encode(), keys(rows))
    return [text for (text,) in await cursor.fetchall()]


def keys(rows: Sequence[Stored]) -> dict[str, object]:
    """What names the rows."""
    return {
        "device": [row.device for row in rows],
        "ts": [row.ts for row in rows],
        "layout": [row.layout for row in rows],
    }


async def names(connection: psycopg.AsyncConnection, layouts: Sequence[int]) -> dict[int, list[str]]:
    """The metrics of these layouts, by name in order."""
    cursor = await connection.execute("SELECT id, metrics FROM layouts WHERE id = ANY (%s)", [list(layouts)])
    return dict(await cursor.fetchall())


def _within(start: int, end: int) -> str:
    return f"ts >= '{times.render(start)}' AND ts < '{times.render(end)}'"
