"""Reading many series and ranges of time at once.

A series is a device's metric. Several share a plan: numbers join the series to the ranges.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

from api_service.query import times
from api_service.query.plan import Range

WANTED = """
WITH series AS (
    SELECT * FROM unnest(%(series_plan)s::int4[], %(device)s::int4[], %(metric)s::int4[]) AS s (plan, device, metric)
), piece AS (
    SELECT * FROM unnest(%(range_plan)s::int4[], %(start)s::timestamptz[], %(until)s::timestamptz[])
        AS p (plan, start, until)
)
"""

_DAY = 86_400 * times.SECOND
_MOST_CLUSTERS = 8
_UNPACKED = 4  # times as large, roughly, are stored statistics in memory


class TooMuch(Exception):
    """A question needs more bytes than one may have."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Numbers of readings by series and bucket (µs, of the finest level): n rows."""

    device: npt.NDArray[np.int64]
    metric: npt.NDArray[np.int64]
    bucket: npt.NDArray[np.int64]
    readings: npt.NDArray[np.int64]

    def take(self, rows: npt.NDArray[np.bool_]) -> "Counted":
        """These rows."""
        return Counted(self.device[rows], self.metric[rows], self.bucket[rows], self.readings[rows])


NOTHING_COUNTED = Counted(*np.empty((4, 0), np.int64))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Series and the ranges (µs) to read of them, joined by numbers of plans."""

    series_plan: list[int]
    device: list[int]
    metric: list[int]
    range_plan: list[int]
    ranges: list[Range]

    def parameters(self) -> dict[str, object]:
        """For WANTED."""
        starts, untils = [start for start, _ in self.ranges], [end for _, end in self.ranges]
        return {
            "series_plan": array(self.series_plan),
            "device": array(self.device),
            "metric": array(self.metric),
            "range_plan": array(self.range_plan),
            "start": array(times.datetime_of(start).isoformat() for start in starts),
            "until": array(times.datetime_of(until).isoformat() for until in untils),
        }


def within(column: str, ranges: Sequence[Range]) -> str:
    """A condition in constants that all of these ranges meet, so that other partitions aren't even opened."""
    return " OR ".join(
        f"{column} >= '{times.render(start)}' AND {column} < '{times.render(until)}'"
        for start, until in _clusters(ranges)
    )


def _clusters(ranges: Sequence[Range]) -> list[Range]:
    """Ranges that cover these: those less than a day apart as one, and all as one if that is not few."""
    found: list[Range] = []
    for start, until in sorted(ranges):
        if found and start - found[-1][1] < _DAY:
            found[-1] = found[-1][0], max(until, found[-1][1])
        else:
            found.append((start, until))
    return found if len(found) <= _MOST_CLUSTERS else [(found[0][0], found[-1][1])]


def array(values: Iterable[object]) -> str:
    """An array as Postgres writes it, of values that need no quotes; psycopg's own takes ten times as long."""
    return f"{{{','.join(map(str, values))}}}"


async def copied(
    connection: psycopg.AsyncConnection, statement: str, parameters: Mapping[str, object], most_bytes: int
) -> bytes:
    """What a COPY of stored statistics gives.

    Raises:
        TooMuch: it is more than `most_bytes` when it is unpacked, roughly.
    """
    data = bytearray()
    async with connection.cursor() as cursor, cursor.copy(statement, parameters) as copy:
        async for block in copy:
            data += block
            if len(data) * _UNPACKED > most_bytes:
                raise TooMuch
    return bytes(data)


async def packs(
    connection: psycopg.AsyncConnection,
    statement: str,
    parameters: Mapping[str, object],
    types: Sequence[str],
    most_bytes: int,
) -> list[tuple[Any, ...]]:
    """The rows of a COPY of columns of these types, of which the last is a bytea that holds many events.

    Raises:
        TooMuch: they are more than `most_bytes`.
    """
    rows, size = [], 0
    async with connection.cursor() as cursor, cursor.copy(statement, parameters) as copy:
        copy.set_types(types)
        async for row in copy.rows():
            rows.append(row)
            size += len(row[-1])
            if size > most_bytes:
                raise TooMuch
    return rows


def counted(rows: Sequence[tuple[int, ...]]) -> Counted:
    """Rows of device, metric, bucket and readings as columns."""
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return Counted(*columns)
