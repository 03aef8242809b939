"""SQL of GET /vital-data: the latest event of each device."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import psycopg
from psycopg.rows import args_row

from api_service.query import times
from api_service.query.bulk_store import array
from api_service.query.events import Stored
from api_service.query.records_store import BY_INDEX, EVENT, keys
from api_service.query.store import KNOWN, like_patterns

_CONDITIONS = {
    "patterns": "d.device_id LIKE ANY (%(patterns)s::text[])",
    "device_ids": "d.device_id = ANY (%(device_ids)s::text[])",
    "after": "d.device_id > %(after)s::text",
}

# Of some devices the names come along, which saves a statement; of many they would be the same ones again and again.
_METRICS = {True: "(SELECT metrics FROM layouts WHERE id = e.layout)", False: "NULL::text[]"}

# `since`: an event that is later than the row of device_latest is no older than that. Below what is stored there is
# only what the dirty log names, and the latest of it is in the last of the device's buckets there.
_DEVICES = f"""
SELECT d.id, d.device_id, {{metrics}} AS metrics, {EVENT},
    nullif(greatest(e.ts, least((SELECT until FROM materialized ORDER BY level LIMIT 1), late.bucket)), '-infinity')
        AS since
FROM (
    SELECT d.id, d.device_id FROM devices d
    WHERE {KNOWN}{{conditions}}
    ORDER BY d.device_id
    LIMIT %(limit)s
) d
LEFT JOIN device_latest e ON e.device = d.id
CROSS JOIN LATERAL (SELECT max(bucket) AS bucket FROM dirty WHERE device = d.id) late
WHERE {BY_INDEX}
ORDER BY d.device_id
"""  # noqa: S608  made of constants

# The bound is a constant, so that partitions before it aren't even opened.
_NEWER = f"""
SELECT own.device, {EVENT}
FROM unnest(%(devices)s::int4[], %(since)s::timestamptz[]) AS own (device, since)
CROSS JOIN LATERAL (
    SELECT ts, layout, values, extras FROM events
    WHERE device = own.device AND ts >= coalesce(own.since, '-infinity') AND ts >= '{{bound}}'
    ORDER BY ts DESC FETCH FIRST 1 ROW WITH TIES
) e
"""  # noqa: S608  made of constants

_EXTRAS = """
SELECT coalesce(
    (SELECT extras FROM device_latest l WHERE l.device = key.device AND l.ts = key.ts AND l.layout = key.layout),
    (SELECT extras FROM events e WHERE e.device = key.device AND e.ts = key.ts AND e.layout = key.layout)
)::text
FROM unnest(%(device)s::int4[], %(ts)s::timestamptz[], %(layout)s::int4[])
    WITH ORDINALITY AS key (device, ts, layout, number)
ORDER BY key.number
"""


class Device(NamedTuple):
    """A device, what device_latest has of it (no `ts`: nothing), and since when there may be something later.

    `metrics`: those of `layout`, if some devices were asked for.
    """

    id: int
    device_id: str
    metrics: list[str] | None
    ts: datetime | None
    layout: int | None
    values: list[float] | None
    extras: str | None
    large: int
    since: datetime | None

    def known(self) -> list[Stored]:
        """The row of device_latest, if there is one."""
        if self.ts is None or self.layout is None or self.values is None:
            return []
        return [Stored(self.id, self.ts, self.layout, self.values, self.extras, self.large)]


async def devices(
    connection: psycopg.AsyncConnection,
    allowed: Sequence[str] | None,
    device_ids: Sequence[str],
    after: str | None,
    limit: int,
) -> list[Device]:
    """The first statement of the snapshot: devices in the order of their ids; no `device_ids`: any."""
    given = {"patterns": like_patterns(allowed), "device_ids": list(device_ids) or None, "after": after}
    parameters: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    # Only what is asked for is in the statement: one plan for all that may be asked looks through all devices for one.
    conditions = "".join(f" AND {_CONDITIONS[name]}" for name in parameters)
    statement = _DEVICES.format(conditions=conditions, metrics=_METRICS[bool(device_ids)])
    async with connection.cursor(row_factory=args_row(Device), binary=True) as cursor:
        return await (await cursor.execute(statement.encode(), {**parameters, "limit": limit})).fetchall()


async def newer(connection: psycopg.AsyncConnection, of: Sequence[Device]) -> list[Stored]:
    """The latest event of each of these devices that is no older than its `since`; several that are as late."""
    known = [device.since for device in of if device.since is not None]
    bound = times.render(times.micros_of(min(known))) if len(known) == len(of) else "-infinity"
    parameters = {
        "devices": array(device.id for device in of),
        "since": array(f'"{device.since}"' if device.since else "null" for device in of),
    }
    async with connection.cursor(row_factory=args_row(Stored), binary=True) as cursor:
        return await (await cursor.execute(_NEWER.format(bound=bound).encode(), parameters)).fetchall()


async def extras(connection: psycopg.AsyncConnection, rows: Sequence[Stored]) -> list[str]:
    """Their extras, in order, as JSON."""
    cursor = await connection.execute(_EXTRAS, keys(rows))
    return [text for (text,) in await cursor.fetchall()]
