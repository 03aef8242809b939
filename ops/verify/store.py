"""The SQL of plumbline verify."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg.rows import tuple_row

from ops import statistics_store
from ops.moments import rfc3339
from ops.statistics_store import Chosen, Key
from ops.store import Connection
from shared.errors import PlumblineError
from shared.statistics import PACKED, Partials
from shared.statistics.buckets import bucket_name
from shared.statistics.stored import FLEET_SELECTED, decode_partials

EVENT_DAYS = """
    SELECT (extract(epoch FROM to_date(right(c.relname, 8), 'YYYYMMDD')) * 1000000)::int8 AS day
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'events'::regclass
    ORDER BY day
"""

DIRTY = """
    SELECT DISTINCT device, (extract(epoch FROM bucket) * 1000000)::int8 AS bucket
    FROM dirty
    WHERE device = ANY (%(devices)s) AND bucket >= %(start)s AND bucket < %(end)s
"""

EVENTS = f"""
    SELECT {PACKED} FROM events
    WHERE device = ANY (%(devices)s) AND ts >= %(start)s AND ts < %(end)s
        AND (%(layouts)s::int4[] IS NULL OR layout = ANY (%(layouts)s))
    GROUP BY layout, device
"""  # noqa: S608  made of constants

# Each of the three is an index probe or a few; the numbers of the draws that hold something.
HOLDING = """
    SELECT draw::int4 FROM unnest(%(devices)s::int4[], %(buckets)s::int8[]) WITH ORDINALITY AS d (device, us, draw)
    CROSS JOIN LATERAL (SELECT 'epoch'::timestamptz + us * interval '1 microsecond' AS start) AS bucket
    WHERE EXISTS (
        SELECT FROM events e
        WHERE e.device = d.device AND e.ts >= start AND e.ts < start + make_interval(secs => %(level)s)
    ) OR EXISTS (
        SELECT FROM stats s
        WHERE s.level = %(level)s AND s.device = d.device AND s.metric = ANY (%(metrics)s::int4[]) AND s.bucket = start
    )
    ORDER BY draw
"""

FLEET_HOLDING = """
    SELECT draw::int4 FROM unnest(%(drawn)s::int4[], %(buckets)s::int8[]) WITH ORDINALITY AS d (metric, us, draw)
    CROSS JOIN LATERAL (SELECT 'epoch'::timestamptz + us * interval '1 microsecond' AS start) AS bucket
    WHERE EXISTS (
        SELECT FROM fleet_stats f WHERE f.level = %(level)s AND f.metric = d.metric AND f.bucket = start
    ) OR EXISTS (
        SELECT FROM unnest(%(devices)s::int4[]) AS member (device)
        JOIN stats s ON s.level = %(level)s AND s.device = member.device AND s.metric = d.metric AND s.bucket = start
    )
    ORDER BY draw
"""

FLEET = f"""
    COPY (
        SELECT {FLEET_SELECTED} FROM fleet_stats s
        WHERE level = %(level)s AND metric = ANY (%(metrics)s) AND bucket >= %(start)s AND bucket < %(end)s
            AND NOT EXISTS (
                SELECT FROM fleet_stale f WHERE f.level = s.level AND f.metric = s.metric AND f.bucket = s.bucket
            )
        GROUP BY s.metric
    ) TO STDOUT (FORMAT binary)
"""  # noqa: S608  made of constants

STALE = """
    SELECT metric, (extract(epoch FROM bucket) * 1000000)::int8 AS bucket FROM fleet_stale
    WHERE level = %(level)s AND metric = ANY (%(metrics)s) AND bucket >= %(start)s AND bucket < %(end)s
"""

SPANS = """
    SELECT level, CASE WHEN isfinite(since) THEN (extract(epoch FROM since) * 1000000)::int8 END AS since,
        (extract(epoch FROM until) * 1000000)::int8 AS until
    FROM {table} WHERE isfinite(until) ORDER BY level
"""


Span = tuple[int, int]  # [start, end) in µs since 1970


@dataclass(frozen=True)
class Piece:
    """Some devices (ids) and metrics (ids) on [start, end); `layouts` None: all."""

    start: datetime
    end: datetime
    devices: Sequence[int]
    metrics: Sequence[int]
    layouts: Sequence[int] | None = None

    def parameters(self, **more: object) -> dict[str, Any]:
        """For the queries here."""
        lists = {"devices": list(self.devices), "metrics": list(self.metrics)}
        layouts = None if self.layouts is None else list(self.layouts)
        return {"start": self.start, "end": self.end, **lists, "layouts": layouts, **more}


def event_days(connection: Connection) -> list[int]:
    """The UTC days that have a partition of events, in order: µs since 1970."""
    return [row["day"] for row in connection.execute(EVENT_DAYS)]


def names(connection: Connection) -> tuple[dict[int, str], dict[int, str]]:
    """Devices and metrics by id, in the ids' order."""
    devices = connection.execute("SELECT id, device_id AS name FROM devices ORDER BY id").fetchall()
    metrics = connection.execute("SELECT id, name FROM metrics ORDER BY id").fetchall()
    return {row["id"]: row["name"] for row in devices}, {row["id"]: row["name"] for row in metrics}


def layouts(connection: Connection) -> dict[int, npt.NDArray[np.int32]]:
    """The metric ids of each layout."""
    rows = connection.execute("SELECT id, metric_ids FROM layouts")
    return {row["id"]: np.array(row["metric_ids"], np.int32) for row in rows}


def materialized(connection: Connection) -> dict[int, Span]:
    """What of each level (in seconds) is stored; not the levels that haven't begun."""
    return _spans(connection, "(SELECT level, '-infinity'::timestamptz AS since, until FROM materialized)")


def fleet(connection: Connection) -> dict[int, Span]:
    """What of each level is stored across devices, as above."""
    return _spans(connection, "fleet_until")


def _spans(connection: Connection, table: str) -> dict[int, Span]:
    rows = connection.execute(SPANS.format(table=table).encode()).fetchall()
    return {row["level"]: (-(2**62) if row["since"] is None else row["since"], row["until"]) for row in rows}


def dirty(connection: Connection, piece: Piece) -> set[tuple[int, int]]:
    """(device, bucket of the finest level in µs since 1970) with late events that aren't counted in yet."""
    rows = connection.execute(DIRTY, piece.parameters())
    return {(row["device"], row["bucket"]) for row in rows}


def holding(connection: Connection, piece: Piece, level: int, draws: Sequence[tuple[int, int]]) -> list[int]:
    """Which of these (device, bucket) have events or a row, of the piece's metrics: their numbers, in order."""
    drawn = {"devices": [device for device, _ in draws], "buckets": [bucket for _, bucket in draws]}
    rows = connection.execute(HOLDING, {**piece.parameters(level=level), **drawn})
    return [row["draw"] - 1 for row in rows]


def fleet_holding(connection: Connection, piece: Piece, level: int, draws: Sequence[tuple[int, int]]) -> list[int]:
    """Which of these (metric, bucket) have a row across devices, or one of the piece's devices has a row."""
    drawn = {"drawn": [metric for metric, _ in draws], "buckets": [bucket for _, bucket in draws]}
    rows = connection.execute(FLEET_HOLDING, {**piece.parameters(level=level), **drawn})
    return [row["draw"] - 1 for row in rows]


def packed_events(connection: Connection, piece: Piece) -> list[tuple[int, bytes]]:
    """The piece's events as shared.statistics.unpack takes them."""
    with connection.cursor(binary=True, row_factory=tuple_row) as cursor:
        return cursor.execute(EVENTS.encode(), piece.parameters()).fetchall()


def statistics(connection: Connection, piece: Piece, level: int) -> tuple[Partials, list[Key]]:
    """The piece's stored rows of a level, and the keys of those that can't be read."""
    return statistics_store.read(connection, Chosen(level, piece.devices, piece.start, piece.end, piece.metrics))


def fleet_statistics(connection: Connection, piece: Piece, level: int) -> Partials:
    """The rows across devices of a level that aren't stale; their device is 0.

    Raises:
        PlumblineError: one of them can't be read.
    """
    with connection.cursor().copy(FLEET.encode(), piece.parameters(level=level)) as copy:
        data = b"".join(copy)
    try:
        return decode_partials(data)
    except (ValueError, IndexError) as error:
        start, end = rfc3339(piece.start), rfc3339(piece.end)
        raise PlumblineError(
            f"a row across devices of {bucket_name(level)} between {start} and {end} is spoilt "
            f"→ plumbline backfill --from {start} --to {end} --level {bucket_name(level)} --fleet"
        ) from error


def stale(connection: Connection, piece: Piece, level: int) -> set[tuple[int, int]]:
    """(metric, bucket) of rows across devices that are to be made again."""
    rows = connection.execute(STALE, piece.parameters(level=level))
    return {(row["metric"], row["bucket"]) for row in rows}
