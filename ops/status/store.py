"""The queries of plumbline status."""

from dataclasses import dataclass
from datetime import datetime

from ops.store import Connection

COUNTED = """
    SELECT clock_timestamp() AS at,
           coalesce(sum(events_total), 0)::int8 AS events,
           coalesce(sum(dead_letter_total), 0)::int8 AS dead_letters,
           coalesce(sum(abs(next_offset - first_offset - persisted_total - duplicate_total - dead_letter_total
                            - gap_total)), 0)::int8 AS unaccounted,
           (SELECT nullif(watermark, '-infinity') FROM watermarks ORDER BY level LIMIT 1) AS watermark,
           (SELECT nullif(until, '-infinity') FROM materialized ORDER BY level LIMIT 1) AS stored_until,
           (SELECT count(*) FROM dead_letters WHERE at > now() - interval '1 hour') AS dead_letters_hour
    FROM kafka_offsets
"""
# The log of late data may be long: so many are counted at most.
LATE_MOST = 100_000
LATE = """
    SELECT count(*) AS entries, min(logged_at) AS oldest
    FROM (SELECT logged_at FROM dirty ORDER BY id LIMIT %s) AS first
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the database says. `unaccounted`: offsets of open chapters without an outcome. `late`: log entries, up to
    LATE_MOST; `watermark`, `stored_until` are the finest level's, None before its first bucket."""

    at: datetime
    events: int
    dead_letters: int
    dead_letters_hour: int
    unaccounted: int
    watermark: datetime | None
    stored_until: datetime | None
    late: int
    late_since: datetime | None


def counted(connection: Connection) -> Counted:
    """One moment's figures."""
    row = connection.execute(COUNTED).fetchall()[0]
    late = connection.execute(LATE, [LATE_MOST]).fetchall()[0]
    return Counted(**row, late=late["entries"], late_since=late["oldest"])
