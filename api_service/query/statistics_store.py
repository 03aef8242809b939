"""SQL of /stats: what the snapshot holds, and the stored statistics and raw events that plans name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.rows import class_row

from api_service import apart
from api_service.query import times
from api_service.query.bulk_store import WANTED, Counted, Wanted, copied, counted, packs, within
from api_service.query.plan import EVER, Level
from api_service.query.store import VISIBLE, like_patterns
from shared.statistics import PACKED, Partials, unpack
from shared.statistics.readings import Readings
from shared.statistics.stored import SELECTED, decode_partials

# Nested loops over the primary keys are right for every question here; the planner, which can't know how little a
# range holds, is kept from reading whole partitions.
_FRAME = """
SELECT now() AS as_of,
    (SELECT watermark FROM watermarks WHERE isfinite(watermark) ORDER BY level LIMIT 1) AS watermark,
    ARRAY(SELECT level FROM materialized WHERE isfinite(until) ORDER BY level) AS widths,
    ARRAY(SELECT until FROM materialized WHERE isfinite(until) ORDER BY level) AS untils,
    ARRAY(SELECT f.until FROM materialized m LEFT JOIN fleet_until f USING (level) WHERE isfinite(m.until)
        ORDER BY level) AS fleet_untils,
    ARRAY(SELECT CASE WHEN isfinite(f.since) THEN f.since END FROM materialized m LEFT JOIN fleet_until f USING (level)
        WHERE isfinite(m.until) ORDER BY level) AS fleet_sinces,
    pg_postmaster_start_time()::text || ' ' || 'stats'::regclass::oid AS server,
    set_config('enable_hashjoin', 'off', true) AS hashjoin, set_config('enable_mergejoin', 'off', true) AS mergejoin
"""

_DEVICES = f"""
WITH page AS (
    SELECT d.id, d.device_id
    FROM devices d
    WHERE {VISIBLE}
    AND (%(first)s::text IS NULL OR d.device_id >= %(first)s)
    AND (%(device_ids)s::text[] IS NULL OR d.device_id = ANY (%(device_ids)s))
    ORDER BY d.device_id
    LIMIT %(limit)s
)
SELECT page.id, page.device_id, coalesce(sent.ids, '{{}}') AS metric_ids, coalesce(sent.names, '{{}}') AS metrics
FROM page
CROSS JOIN LATERAL (
    SELECT array_agg(id ORDER BY name) AS ids, array_agg(name ORDER BY name) AS names
    FROM (
        SELECT DISTINCT metric.id, metric.name COLLATE "C" AS name
        FROM device_layouts dl
        JOIN layouts l ON l.id = dl.layout
        CROSS JOIN unnest(l.metric_ids, l.metrics) AS metric (id, name)
        WHERE dl.device = page.id AND (%(metrics)s::text[] IS NULL OR metric.name = ANY (%(metrics)s))
    ) own
) sent
ORDER BY page.device_id
"""  # noqa: S608  made of constants

_NAMED = """
SELECT d.device_id, d.id, coalesce(r.revision, 0) AS revision,
    ARRAY(SELECT layout FROM device_layouts dl WHERE dl.device = d.id) AS layouts,
    (SELECT min(bucket) FROM dirty WHERE device = d.id) AS dirty_from,
    (SELECT max(bucket) FROM dirty WHERE device = d.id) AS dirty_last
FROM devices d LEFT JOIN device_revisions r ON r.device = d.id
WHERE d.device_id = ANY (%s)
"""

_COUNT_DEVICES = f"SELECT count(*) FROM devices d WHERE {VISIBLE} AND d.device_id = ANY (%(device_ids)s)"  # noqa: S608

_DIRTY = """
SELECT p.device, metric, (extract(epoch FROM p.bucket) * 1000000)::int8, sum(p.events)::int8
FROM dirty p JOIN layouts l ON l.id = p.layout CROSS JOIN unnest(l.metric_ids) AS metric
WHERE p.device = ANY (%s::int4[]) AND p.bucket >= %s AND p.bucket < %s
GROUP BY p.device, metric, p.bucket
"""

_LAYOUTS = """
SELECT l.id, l.metric_ids FROM layouts l
WHERE l.metric_ids && %s::int4[] AND l.id IN (SELECT layout FROM device_layouts WHERE device = ANY (%s::int4[]))
"""

# A fence: else the planner, as long as it has no figures of a new partition, looks at all of `within` for each piece.
_STORED_ROWS = """
FROM series JOIN piece USING (plan)
CROSS JOIN LATERAL (
    SELECT * FROM stats
    WHERE level = %(level)s AND device = series.device AND metric = series.metric
        AND bucket >= piece.start AND bucket < piece.until AND ({within})
    OFFSET 0
) s
"""

_STORED = f"""
COPY ({WANTED} SELECT {SELECTED} {_STORED_ROWS} GROUP BY s.device, s.metric) TO STDOUT (FORMAT binary)
"""

_LATE = f"""
{WANTED}
SELECT s.device, s.metric, (extract(epoch FROM s.bucket) * 1000000)::int8, s.late {_STORED_ROWS} WHERE s.late > 0
"""  # noqa: S608  made of constants

_EVENTS = f"""
COPY (
    {WANTED}
    SELECT {PACKED}
    FROM (
        SELECT own.*
        FROM (SELECT DISTINCT plan, device FROM series) AS source JOIN piece USING (plan)
        CROSS JOIN LATERAL (
            SELECT device, ts, layout, values FROM events
            WHERE device = source.device AND layout = ANY (%(layouts)s::int4[])
                AND ts >= piece.start AND ts < piece.until AND ({{within}})
            OFFSET 0
        ) own
    ) read
    GROUP BY layout, device
) TO STDOUT (FORMAT binary)
"""  # noqa: S608  made of constants


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the snapshot stands."""

    as_of: datetime
    watermark: datetime | None
    widths: list[int]
    untils: list[datetime]
    fleet_untils: list[datetime | None]
    fleet_sinces: list[datetime | None]
    server: str
    hashjoin: str
    mergejoin: str

    def levels(self) -> list[Level]:
        """The stored levels, finest first."""
        pairs = zip(self.widths, self.untils, strict=True)
        return [Level(width * times.SECOND, times.micros_of(until)) for width, until in pairs]

    def fleet_levels(self) -> list[Level]:
        """Where there are statistics across devices, of the same levels."""
        found = []
        for level, since, until in zip(self.levels(), self.fleet_sinces, self.fleet_untils, strict=True):
            if until is not None:
                first = -EVER if since is None else times.micros_of(since)
                found.append(Level(level.width, min(level.until, times.micros_of(until)), first))
        return found

    def closed_until(self) -> int:
        """The finest level's watermark."""
        return -EVER if self.watermark is None else times.micros_of(self.watermark)


@dataclass(frozen=True, slots=True)
class Device:
    """A device and what it sends, by name in order."""

    id: int
    device_id: str
    metric_ids: list[int]
    metrics: list[str]


@dataclass(frozen=True, slots=True)
class Named:
    """A device, how often its stored statistics were changed afterwards (0: never), and where late readings wait.

    `dirty_from`, `dirty_last`: the first and the last bucket of the finest level that has some.
    """

    device_id: str
    id: int
    revision: int
    layouts: list[int]
    dirty_from: datetime | None
    dirty_last: datetime | None

    @property
    def dirty(self) -> bool:
        """Whether any wait."""
        return self.dirty_from is not None


async def frame(connection: psycopg.AsyncConnection) -> Frame:
    """The first statement of the snapshot."""
    async with connection.cursor(row_factory=class_row(Frame)) as cursor:
        found = await (await cursor.execute(_FRAME)).fetchone()
    assert found is not None  # noqa: S101  a SELECT without FROM has one row
    return found


async def all_visible(
    connection: psycopg.AsyncConnection, allowed: Sequence[str] | None, device_ids: Sequence[str]
) -> bool:
    """Whether each of these devices exists and is covered by a token's patterns."""
    parameters = {"patterns": like_patterns(allowed), "device_ids": list(device_ids)}
    row = await (await connection.execute(_COUNT_DEVICES, parameters)).fetchone()
    return row is not None and row[0] == len(device_ids)


async def devices(
    connection: psycopg.AsyncConnection,
    allowed: Sequence[str] | None,
    device_ids: Sequence[str],
    metrics: Sequence[str],
    first: str | None,
    limit: int,
) -> list[Device]:
    """Devices in order, from the id `first` on; no `device_ids` or `metrics`: any."""
    parameters = {
        "patterns": like_patterns(allowed),
        "device_ids": list(device_ids) or None,
        "metrics": list(metrics) or None,
        "first": first,
        "limit": limit,
    }
    async with connection.cursor(row_factory=class_row(Device)) as cursor:
        return await (await cursor.execute(_DEVICES, parameters)).fetchall()


async def named(connection: psycopg.AsyncConnection, device_ids: Sequence[str]) -> dict[str, Named]:
    """Those of these devices that sent something."""
    async with connection.cursor(row_factory=class_row(Named)) as cursor:
        await cursor.execute(_NAMED, [list(device_ids)])
        return {device.device_id: device for device in await cursor.fetchall() if device.layouts}


async def metrics_of(connection: psycopg.AsyncConnection, layout: Sequence[int]) -> dict[int, dict[str, int]]:
    """The metrics of these layouts: name → id."""
    cursor = await connection.execute("SELECT id, metrics, metric_ids FROM layouts WHERE id = ANY (%s)", [list(layout)])
    return {id_: dict(zip(names, ids, strict=True)) for id_, names, ids in await cursor.fetchall()}


async def dirty(connection: psycopg.AsyncConnection, device: Sequence[int], start: int, end: int) -> Counted:
    """Readings that came for closed buckets and are in no stored statistic yet."""
    cursor = await connection.execute(_DIRTY, [list(device), times.datetime_of(start), times.datetime_of(end)])
    return counted(await cursor.fetchall())


async def late(connection: psycopg.AsyncConnection, width: int, wanted: Wanted) -> Counted:
    """The stored numbers of late readings, where there are any."""
    statement = _LATE.format(within=within("bucket", wanted.ranges)).encode()
    cursor = await connection.execute(statement, {**wanted.parameters(), "level": width // times.SECOND})
    return counted(await cursor.fetchall())


async def stored(connection: psycopg.AsyncConnection, width: int, wanted: Wanted, most_bytes: int) -> Partials:
    """Stored statistics of a level."""
    parameters = {**wanted.parameters(), "level": width // times.SECOND}
    statement = _STORED.format(within=within("bucket", wanted.ranges))
    data = await copied(connection, statement, parameters, most_bytes)
    return await apart.compute(len(data), decode_partials, data)


async def layouts(
    connection: psycopg.AsyncConnection, device: Sequence[int], metric: Sequence[int]
) -> dict[int, npt.NDArray[np.int32]]:
    """The layouts in which these devices send one of these metrics: ids of all their metrics."""
    cursor = await connection.execute(_LAYOUTS, [list(metric), list(device)])
    return {layout: np.array(metric_ids, np.int32) for layout, metric_ids in await cursor.fetchall()}


async def readings(
    connection: psycopg.AsyncConnection,
    wanted: Wanted,
    of_layouts: Mapping[int, npt.NDArray[np.int32]],
    most_bytes: int,
) -> Readings:
    """Raw readings of the series' devices in these layouts, of other metrics too."""
    parameters = {**wanted.parameters(), "layouts": list(of_layouts)}
    statement = _EVENTS.format(within=within("ts", wanted.ranges))
    rows = await packs(connection, statement, parameters, ["int4", "bytea"], most_bytes)
    return await apart.compute(sum(len(pack) for _, pack in rows), unpack, rows, of_layouts)
