"""SQL of /pipeline."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

COUNTED = 10_000  # entries of the dirty log at most: counting them all could take long

_FIGURES = """
SELECT now() AS as_of,
    coalesce(sum(events_total), 0)::int8 AS events,
    coalesce(sum(persisted_total), 0)::int8 AS persisted,
    coalesce(sum(duplicate_total), 0)::int8 AS duplicates,
    coalesce(sum(conflict_total), 0)::int8 AS conflicts,
    coalesce(sum(dead_letter_total), 0)::int8 AS dead_letters,
    max(updated_at) FILTER (WHERE events_total > 0) AS last_commit,
    ARRAY(SELECT level FROM materialized ORDER BY level) AS widths,
    ARRAY(SELECT CASE WHEN isfinite(until) THEN until END FROM materialized ORDER BY level) AS untils,
    (SELECT count(*) FROM (SELECT FROM dirty LIMIT %s) AS first) AS late_waiting,
    (SELECT extract(epoch FROM now() - logged_at)::float8 FROM dirty ORDER BY id LIMIT 1) AS late_waiting_seconds
FROM kafka_offsets
"""


async def figures(connection: psycopg.AsyncConnection) -> dict[str, Any]:
    """Totals over all partitions, and the marks of each level of statistics (None before the first)."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_FIGURES, [COUNTED])
        return await cursor.fetchone() or {}
