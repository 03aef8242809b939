"""SQL that keeps `device_latest`: the latest event of each device below what is stored (see migration 0008)."""

from collections.abc import Sequence

import psycopg

# What is known already bounds the search: of older ranges, which late data comes from, nothing is read or written.
_KEEP = """
WITH known AS (
    SELECT wanted.device, latest.ts, layouts.metrics
    FROM unnest(%(devices)s::int4[]) AS wanted (device)
    LEFT JOIN device_latest latest USING (device) LEFT JOIN layouts ON layouts.id = latest.layout
)
INSERT INTO device_latest
SELECT DISTINCT ON (e.device) e.*
FROM known
CROSS JOIN LATERAL (
    SELECT device, ts, layout, values, extras FROM events
    WHERE device = known.device AND ts >= coalesce(known.ts, '-infinity')
        AND ts >= to_timestamp(%(start)s) AND ts < to_timestamp(%(end)s)
    ORDER BY ts DESC FETCH FIRST 1 ROW WITH TIES
) e
JOIN layouts l ON l.id = e.layout
WHERE known.ts IS NULL OR e.ts > known.ts OR l.metrics < known.metrics
ORDER BY e.device, l.metrics
ON CONFLICT (device) DO UPDATE
SET ts = excluded.ts, layout = excluded.layout, values = excluded.values, extras = excluded.extras
"""


def keep(connection: psycopg.Connection, start: int, end: int, devices: Sequence[int]) -> None:
    """Takes over the latest events of these devices in a range of time (epoch seconds), where they are newer.

    Belongs into the transaction that stores the range, or that settles what came late for it: it sees the same events.
    """
    connection.execute(_KEEP, {"start": start, "end": end, "devices": list(devices)})
