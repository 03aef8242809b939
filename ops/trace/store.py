"""The SQL of an event's way."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ops.store import Connection, Row

CHAPTERS = """
    SELECT id, topic_id, first_offset, next_offset, acked_offset, action, reason, new_topic_id, new_offset, low
    FROM offset_decisions WHERE topic = %(topic)s AND partition = %(partition)s
    UNION ALL
    SELECT 0, topic_id, first_offset, next_offset, acked_offset, NULL, NULL, NULL, NULL, NULL
    FROM kafka_offsets WHERE topic = %(topic)s AND partition = %(partition)s
"""

ACK = """
    SELECT first_offset, last_offset, persisted, duplicates, conflicts, dead_lettered, committed_at
    FROM outbox
    WHERE %(chapter)s = 0 AND topic_id = %(topic_id)s AND partition = %(partition)s
        AND first_offset <= %(offset)s AND last_offset >= %(offset)s
    UNION ALL
    SELECT first_offset, last_offset, persisted, duplicates, conflicts, dead_lettered, committed_at
    FROM outbox_closed
    WHERE decision = %(chapter)s AND first_offset <= %(offset)s AND last_offset >= %(offset)s
"""

EVENTS = """
    SELECT e.device, d.device_id, e.ts, e.layout, l.metrics, l.metric_ids, e.values, e.extras
    FROM devices d JOIN events e ON e.device = d.id JOIN layouts l ON l.id = e.layout
    WHERE d.device_id = %(device)s AND e.ts = %(ts)s
    ORDER BY e.layout
"""

LATEST = """
    SELECT ts FROM events
    WHERE device = (SELECT id FROM devices WHERE device_id = %(device)s) ORDER BY ts DESC LIMIT 1
"""

LEVELS = """
    SELECT w.level, nullif(w.watermark, '-infinity') AS watermark, nullif(m.until, '-infinity') AS until
    FROM watermarks w LEFT JOIN materialized m USING (level) ORDER BY w.level
"""

LATE = """
    SELECT coalesce(sum(events), 0)::int8 AS n FROM dirty
    WHERE device = %(device)s AND bucket >= %(start)s AND bucket < %(end)s
"""

STATISTICS = """
    SELECT m.name AS metric, count, min, max, (sum + sum_error) / count AS avg
    FROM stats s JOIN metrics m ON m.id = s.metric
    WHERE level = %(level)s AND device = %(device)s AND metric = ANY (%(metrics)s) AND bucket = %(start)s
    ORDER BY m.name
"""


def chapters(connection: Connection, topic: str, partition: int) -> list[Row]:
    """The partition's chapters, oldest first; the open one is last and has id 0."""
    rows = connection.execute(CHAPTERS, {"topic": topic, "partition": partition}).fetchall()
    return sorted(rows, key=lambda row: row["id"] or float("inf"))


def ack(connection: Connection, topic_id: str, partition: int, offset: int, chapter: int) -> Row | None:
    """The success ack that covers an offset, while it is kept."""
    values = {"topic_id": topic_id, "partition": partition, "offset": offset, "chapter": chapter}
    return connection.execute(ACK, values).fetchone()


def events(connection: Connection, device: str, ts: datetime) -> list[Row]:
    """The stored events of a device at a time: one a layout."""
    return connection.execute(EVENTS, {"device": device, "ts": ts}).fetchall()


def latest(connection: Connection, device: str) -> datetime | None:
    """The time of the device's latest event."""
    row = connection.execute(LATEST, {"device": device}).fetchone()
    return row["ts"] if row else None


def levels(connection: Connection) -> list[Row]:
    """Each level with its watermark and how far it is stored; None before it began."""
    return connection.execute(LEVELS).fetchall()


def late(connection: Connection, device: int, start: datetime, end: datetime) -> int:
    """Events of a bucket that came late and aren't counted in yet."""
    values = {"device": device, "start": start, "end": end}
    return int(connection.execute(LATE, values).fetchall()[0]["n"])


def statistics(
    connection: Connection, level: int, device: int, metrics: Sequence[int], start: datetime
) -> list[dict[str, Any]]:
    """The stored statistics of a bucket, of these metrics."""
    values = {"level": level, "device": device, "metrics": list(metrics), "start": start}
    return connection.execute(STATISTICS, values).fetchall()
