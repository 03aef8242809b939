"""Stored rows of statistics as an operator must take them: some may be spoilt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from shared.pgcopy import HEADER, TRAILER
from shared.statistics import Partials
from shared.statistics.partials import concatenate, empty
from shared.statistics.stored import SELECTED, decode_partials

Key = tuple[int, int, int]  # device, metric, bucket in µs since 1970

_CHOSEN = """
    level = %(level)s AND device = ANY (%(devices)s::int4[]) AND bucket >= %(start)s AND bucket < %(end)s
    AND (%(metrics)s::int4[] IS NULL OR metric = ANY (%(metrics)s::int4[]))
"""
_ROWS = f"COPY (SELECT {SELECTED} FROM stats s WHERE {_CHOSEN} GROUP BY s.device, s.metric) TO STDOUT (FORMAT binary)"  # noqa: S608
_EACH = f"""
    COPY (
        SELECT {SELECTED} FROM stats s WHERE {_CHOSEN}
        GROUP BY s.device, s.metric, s.bucket ORDER BY s.device, s.metric, s.bucket
    ) TO STDOUT (FORMAT binary)
"""  # noqa: S608  made of constants
_KEYS = f"""
    SELECT device, metric, (extract(epoch FROM bucket) * 1000000)::int8 FROM stats WHERE {_CHOSEN}
    ORDER BY device, metric, bucket
"""  # noqa: S608  made of constants


@dataclass(frozen=True, slots=True)
class Chosen:
    """Rows of a level: some devices (ids), metrics (ids; None: all), and buckets that start in [start, end)."""

    level: int
    devices: Sequence[int]
    start: datetime
    end: datetime
    metrics: Sequence[int] | None = None

    def parameters(self) -> dict[str, Any]:
        """For the queries here."""
        metrics = None if self.metrics is None else list(self.metrics)
        return {
            "level": self.level, "devices": list(self.devices), "start": self.start, "end": self.end, "metrics": metrics
        }  # fmt: skip


def read(connection: psycopg.Connection[Any], chosen: Chosen) -> tuple[Partials, list[Key]]:
    """The rows, and the keys of those whose summary isn't one; in a transaction of one snapshot."""
    with connection.cursor().copy(_ROWS.encode(), chosen.parameters()) as copy:
        data = b"".join(copy)
    try:
        return decode_partials(data), []
    except (ValueError, IndexError):
        return _one_by_one(connection, chosen)


def _one_by_one(connection: psycopg.Connection[Any], chosen: Chosen) -> tuple[Partials, list[Key]]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        keys: list[Key] = cursor.execute(_KEYS.encode(), chosen.parameters()).fetchall()
    good, spoilt = [], []
    with connection.cursor().copy(_EACH.encode(), chosen.parameters()) as copy:
        rows = [bytes(row).removeprefix(HEADER) for row in copy]
    for key, row in zip(keys, rows[: len(keys)], strict=True):  # the last one is the trailer
        try:
            good.append(decode_partials(HEADER + row + TRAILER))
        except (ValueError, IndexError):
            spoilt.append(key)
    return (concatenate(good) if good else empty()), spoilt
