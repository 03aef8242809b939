"""SQL of /stats about all devices together: statistics across devices, where they can't be used, raw events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import psycopg

from api_service import apart
from api_service.query import times
from api_service.query.bulk_store import WANTED, Counted, Wanted, copied, counted, packs, within
from api_service.query.plan import Micros, Range
from shared.statistics import PACKED_VALUES, Partials, unpack_values
from shared.statistics.readings import Readings, joined, of_layout
from shared.statistics.stored import FLEET_SELECTED, decode_partials

_METRICS = """
SELECT DISTINCT metric.name COLLATE "C" AS name, metric.id
FROM layouts l CROSS JOIN unnest(l.metric_ids, l.metrics) AS metric (id, name)
WHERE l.id IN (SELECT layout FROM device_layouts) AND (%(metrics)s::text[] IS NULL OR metric.name = ANY (%(metrics)s))
ORDER BY 1
"""

_STALE = """
SELECT DISTINCT level, metric, (extract(epoch FROM bucket) * 1000000)::int8 FROM fleet_stale
WHERE bucket >= %s AND bucket < %s AND metric = ANY (%s::int4[])
"""

_DIRTY = """
SELECT 0, metric, (extract(epoch FROM p.bucket) * 1000000)::int8, sum(p.events)::int8
FROM dirty p JOIN layouts l ON l.id = p.layout CROSS JOIN unnest(l.metric_ids) AS metric
WHERE p.bucket >= %s AND p.bucket < %s AND metric = ANY (%s::int4[])
GROUP BY metric, p.bucket
"""

_MEMBERS = """
SELECT DISTINCT dl.device, metric
FROM device_layouts dl JOIN layouts l ON l.id = dl.layout CROSS JOIN unnest(l.metric_ids) AS metric
WHERE metric = ANY (%s::int4[])
"""

_STORED = f"""
COPY (
    {WANTED}
    SELECT {FLEET_SELECTED}
    FROM series JOIN piece USING (plan)
    CROSS JOIN LATERAL (
        SELECT * FROM fleet_stats
        WHERE level = %(level)s AND metric = series.metric AND bucket >= piece.start AND bucket < piece.until
        OFFSET 0
    ) s
    GROUP BY s.metric
) TO STDOUT (FORMAT binary)
"""  # noqa: S608  made of constants

_LATE = """
SELECT 0, metric, (extract(epoch FROM bucket) * 1000000)::int8, {late}::int8 FROM {table}
WHERE level = %(level)s AND metric = ANY (%(metrics)s::int4[]) AND bucket = ANY (%(buckets)s::timestamptz[])
    AND late > 0 {group}
"""
_FLEET_LATE = _LATE.format(late="late", table="fleet_stats", group="")
_STATS_LATE = _LATE.format(late="sum(late)", table="stats", group="GROUP BY metric, bucket")

# A device's range is a few pages side by side in its index. Packed in here, so that no plan can look at the ranges of
# all devices for each device, whatever the planner thinks of partitions that it has no figures of.
_EVENTS = f"""
COPY (
    SELECT dl.layout, piece.number, string_agg(own.pack, '')
    FROM device_layouts dl
    CROSS JOIN unnest(%(start)s::timestamptz[], %(until)s::timestamptz[])
        WITH ORDINALITY AS piece (start, until, number)
    CROSS JOIN LATERAL (
        SELECT {PACKED_VALUES} AS pack
        FROM events
        WHERE device = dl.device AND layout = dl.layout AND ts >= piece.start AND ts < piece.until
            AND ({{within}})
    ) own
    WHERE dl.layout = ANY (%(layouts)s::int4[]) AND own.pack IS NOT NULL
    GROUP BY dl.layout, piece.number, dl.device / 256
) TO STDOUT (FORMAT binary)
"""  # noqa: S608  made of constants


@dataclass(frozen=True, slots=True)
class Behind:
    """Where statistics across devices can't be used: (metric, width) → starts of buckets (µs)."""

    stale: Mapping[tuple[int, int], Micros]
    dirty: Counted  # readings by metric and bucket of the finest level; device 0


async def metrics(connection: psycopg.AsyncConnection, names: Sequence[str]) -> tuple[dict[str, int], int]:
    """(the metrics that some device sends, or those of them that are named: name → id in order; how many devices)."""
    cursor = await connection.execute(_METRICS, {"metrics": list(names) or None})
    found: dict[str, int] = dict(await cursor.fetchall())
    row = await (await connection.execute("SELECT coalesce(max(id), 0) FROM devices")).fetchone()
    return found, int(row[0]) if row else 0


async def behind(connection: psycopg.AsyncConnection, metric: Sequence[int], start: int, end: int) -> Behind:
    """What is behind in buckets that begin in [start, end)."""
    span = [times.datetime_of(start), times.datetime_of(end), list(metric)]
    stale: dict[tuple[int, int], list[int]] = {}
    for level, metric_id, bucket in await (await connection.execute(_STALE, span)).fetchall():
        stale.setdefault((metric_id, level * times.SECOND), []).append(bucket)
    dirty = counted(await (await connection.execute(_DIRTY, span)).fetchall())
    return Behind({key: np.array(sorted(buckets), np.int64) for key, buckets in stale.items()}, dirty)


async def members(connection: psycopg.AsyncConnection, metric: Sequence[int]) -> dict[int, list[int]]:
    """The devices that send each of these metrics."""
    found: dict[int, list[int]] = {}
    for device, metric_id in await (await connection.execute(_MEMBERS, [list(metric)])).fetchall():
        found.setdefault(metric_id, []).append(device)
    return found


async def stored(connection: psycopg.AsyncConnection, width: int, wanted: Wanted, most_bytes: int) -> Partials:
    """Statistics across devices of a level; device 0."""
    parameters = {**wanted.parameters(), "level": width // times.SECOND}
    data = await copied(connection, _STORED, parameters, most_bytes)
    return await apart.compute(len(data), decode_partials, data)


async def late(
    connection: psycopg.AsyncConnection, width: int, metric: Sequence[int], across: Sequence[int], others: Sequence[int]
) -> Counted:
    """The stored numbers of late readings in some buckets, where there are any; device 0.

    `across`: buckets of which there are statistics across devices; `others`: those of which there are none.
    """
    rows: list[tuple[int, ...]] = []
    for statement, buckets in ((_FLEET_LATE, across), (_STATS_LATE, others)):
        if buckets:
            parameters = {"level": width // times.SECOND, "metrics": list(metric)}
            moments = {"buckets": [times.datetime_of(bucket) for bucket in buckets]}
            rows += await (await connection.execute(statement.encode(), {**parameters, **moments})).fetchall()
    return counted(rows)


async def layouts(connection: psycopg.AsyncConnection, metric: Sequence[int]) -> dict[int, npt.NDArray[np.int32]]:
    """The layouts that have one of these metrics: ids of all their metrics."""
    cursor = await connection.execute(
        "SELECT id, metric_ids FROM layouts WHERE metric_ids && %s::int4[]", [list(metric)]
    )
    return {layout: np.array(metric_ids, np.int32) for layout, metric_ids in await cursor.fetchall()}


async def readings(
    connection: psycopg.AsyncConnection,
    ranges: Sequence[Range],
    metric: Sequence[int],
    of_layouts: Mapping[int, npt.NDArray[np.int32]],
    most_bytes: int,
) -> Readings:
    """All devices' raw readings of these metrics in these ranges; device 0, and a range's start as the time."""
    starts, untils = zip(*ranges, strict=True)
    parameters = {
        "start": [times.datetime_of(start) for start in starts],
        "until": [times.datetime_of(until) for until in untils],
        "layouts": list(of_layouts),
    }
    statement = _EVENTS.format(within=within("ts", ranges))
    rows = await packs(connection, statement, parameters, ["int4", "int8", "bytea"], most_bytes)
    by_layout: dict[int, list[tuple[int, bytes]]] = {}
    for layout, number, pack in sorted(rows, key=lambda row: row[1]):
        by_layout.setdefault(layout, []).append((starts[number - 1], pack))
    size = sum(len(pack) for _, _, pack in rows)
    return await apart.compute(size, _readings, by_layout, metric, of_layouts)


def _readings(
    packs_of: Mapping[int, Sequence[tuple[int, bytes]]],
    metric: Sequence[int],
    of_layouts: Mapping[int, npt.NDArray[np.int32]],
) -> Readings:
    pieces = []
    for layout, own in packs_of.items():
        metric_ids = of_layouts[layout]
        values = [unpack_values(pack, len(metric_ids)) for _, pack in own]
        start = np.repeat(np.array([start for start, _ in own], "datetime64[us]"), [len(rows) for rows in values])
        asked = np.flatnonzero(np.isin(metric_ids, metric))
        chosen = np.concatenate(values)[:, asked]
        pieces.append(of_layout(np.zeros(len(start), np.int32), start, chosen, metric_ids[asked]))
    return joined(pieces)
