"""SQL of devices: who may be seen, and what they sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

# A device is known from its first event on: that is when it gets a row in device_layouts.
KNOWN = "EXISTS (SELECT FROM device_layouts dl WHERE dl.device = d.id)"
VISIBLE = f"""
    {KNOWN}
    AND (%(patterns)s::text[] IS NULL OR d.device_id LIKE ANY (%(patterns)s))
"""

_DEVICES = f"""
WITH page AS (
    SELECT d.id, d.device_id
    FROM devices d
    WHERE {VISIBLE}
    AND (%(after)s::text IS NULL OR d.device_id > %(after)s)
    AND (%(part)s::text IS NULL OR strpos(d.device_id, %(part)s) > 0)
    AND (%(only)s::text IS NULL OR d.device_id = %(only)s)
    ORDER BY d.device_id
    LIMIT %(limit)s
)
SELECT page.id, page.device_id, sent.metrics, first.ts AS first_seen, greatest(last.ts, latest.ts) AS last_seen
FROM page
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(DISTINCT metric ORDER BY metric), '{{}}') AS metrics
    FROM device_layouts dl JOIN layouts l ON l.id = dl.layout CROSS JOIN unnest(l.metrics) AS metric
    WHERE dl.device = page.id
) sent
LEFT JOIN LATERAL (SELECT ts FROM events e WHERE e.device = page.id ORDER BY ts LIMIT 1) first ON true
LEFT JOIN LATERAL (SELECT ts FROM events e WHERE e.device = page.id ORDER BY ts DESC LIMIT 1) last ON true
LEFT JOIN device_latest latest ON latest.device = page.id -- knows of it when raw events are gone
ORDER BY page.device_id
"""  # noqa: S608  made of constants

# Levels don't overlap here: each counts from where the coarser one ends.
_LATENESS = """
SELECT now() AS as_of, coalesce(sum(s.count), 0)::int8 AS readings, coalesce(sum(s.late), 0)::int8 AS late_readings,
    (SELECT coalesce(sum(p.events * cardinality(l.metrics)), 0)::int8
     FROM dirty p JOIN layouts l ON l.id = p.layout
     WHERE p.device = %(device)s AND p.bucket < (SELECT until FROM materialized WHERE level = 60)) AS pending
FROM (
    SELECT level, until, coalesce(lead(until) OVER (ORDER BY level), '-infinity') AS since FROM materialized
) m
JOIN stats s ON s.level = m.level AND s.bucket >= m.since AND s.bucket < m.until
WHERE s.device = %(device)s
"""


@dataclass(frozen=True, slots=True)
class Device:
    id: int
    device_id: str
    metrics: list[str]
    first_seen: datetime | None
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class Lateness:
    """Readings in closed buckets, and how many of them came late: counted there, or still pending."""

    as_of: datetime
    readings: int
    late_readings: int
    pending: int


def like_patterns(devices: Sequence[str] | None) -> list[str] | None:
    """A token's patterns as LIKE's: only `*` is special. What Postgres can't hold as text matches no device."""
    if devices is None:
        return None
    possible = (pattern for pattern in devices if "\0" not in pattern and _is_text(pattern))
    return [
        pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%") for pattern in possible
    ]


async def devices(
    connection: psycopg.AsyncConnection,
    allowed: Sequence[str] | None,
    limit: int,
    *,
    after: str | None = None,
    part: str | None = None,
    only: str | None = None,
) -> list[Device]:
    """Devices in the order of their ids; `allowed` are a token's patterns, None: all."""
    parameters = {"patterns": like_patterns(allowed), "after": after, "part": part, "only": only, "limit": limit}
    async with connection.cursor(row_factory=class_row(Device)) as cursor:
        await cursor.execute(_DEVICES, parameters)
        return await cursor.fetchall()


async def lateness(connection: psycopg.AsyncConnection, device: int) -> Lateness:
    """How late this device's readings were."""
    async with connection.cursor(row_factory=class_row(Lateness)) as cursor:
        await cursor.execute(_LATENESS, {"device": device})
        found = await cursor.fetchone()
    assert found is not None  # noqa: S101  an aggregate without GROUP BY has one row
    return found


def _is_text(pattern: str) -> bool:
    try:
        pattern.encode()
    except UnicodeEncodeError:
        return False
    return True
