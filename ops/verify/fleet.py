"""Rows across all devices against the devices' rows, and against the events where these aren't too many."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from ops.moments import at
from ops.store import Connection
from ops.verify import comparison, store
from ops.verify.comparison import DEVIATION_TOLERANCE, EPSILON, TOLERANCE, Floats, Ints, Row
from ops.verify.draws import DAY, SECOND
from ops.verify.findings import Findings
from ops.verify.frame import Frame, readings
from ops.verify.store import Piece
from shared.statistics import Partials, means

MOST_READINGS = 200_000  # of a bucket across devices that are read from events
Place = tuple[int, int]  # metric, bucket in µs since 1970


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows by metric and bucket: n of each; `deviation` is √(Σ(x − mean)² / count)."""

    metric: Ints
    bucket: Ints
    count: Ints
    late: Ints
    min: Floats
    max: Floats
    mean: Floats
    deviation: Floats


@dataclass(slots=True)
class Merged:
    """Devices' rows, merged by metric and bucket, as they come."""

    _columns: Columns | None = field(default=None)

    def add(self, partials: Partials) -> None:
        """More devices' rows."""
        if len(partials) == 0:
            return
        bucket = partials.bucket.astype("datetime64[us]").astype(np.int64)
        fresh = Columns(
            partials.metric.astype(np.int64), bucket, partials.count, partials.late,
            partials.min, partials.max, means(partials), partials.deviation,
        )  # fmt: skip
        known = self._columns
        parts = [fresh] if known is None else [known, fresh]
        names = [column.name for column in fields(Columns)]
        self._columns = _merged(Columns(*(np.concatenate([getattr(part, name) for part in parts]) for name in names)))

    def rows(self) -> dict[Place, tuple[float, ...]]:
        """(count, late, min, max, mean, deviation) by metric and bucket."""
        if (found := self._columns) is None:
            return {}
        places = zip(found.metric.tolist(), found.bucket.tolist(), strict=True)
        columns = (found.count, found.late, found.min, found.max, found.mean, found.deviation)
        return dict(zip(places, zip(*(column.tolist() for column in columns), strict=True), strict=True))


def _merged(rows: Columns) -> Columns:
    """One row a metric and bucket; squares are made of scaled numbers, so that none overflows."""
    order = np.lexsort((rows.bucket, rows.metric))
    metric, bucket = rows.metric[order], rows.bucket[order]
    start = np.flatnonzero(np.concatenate([[True], (metric[1:] != metric[:-1]) | (bucket[1:] != bucket[:-1])]))
    length = np.diff(start, append=len(order))
    low, high = np.minimum.reduceat(rows.min[order], start), np.maximum.reduceat(rows.max[order], start)
    scale = np.ldexp(1.0, np.minimum(1_000, -np.frexp(np.maximum(np.abs(low), np.abs(high)))[1] - 1))
    count, each = rows.count[order], np.repeat(scale, length)
    total = np.add.reduceat(count, start)
    mean = np.add.reduceat(rows.mean[order] * each * count, start) / total
    apart, within = rows.mean[order] * each - np.repeat(mean, length), rows.deviation[order] * each
    square = np.add.reduceat(count * (apart * apart + within * within), start) / total
    late = np.add.reduceat(rows.late[order], start)
    return Columns(metric[start], bucket[start], total, late, low, high, mean / scale, np.sqrt(square) / scale)


def differences(expected: Sequence[float], row: Row) -> list[str]:
    """What a row across devices says that the devices' rows don't."""
    count, late, low, high, mean, deviation = expected
    found = [
        f"{name} is {told}, the devices' rows say {true}"
        for name, told, true in (
            ("count", row.count, count),
            ("late", row.late, late),
            ("min", row.min, low),
            ("max", row.max, high),
        )
        if told != true
    ]
    largest = max(abs(low), abs(high))
    if not abs(row.avg - mean) <= TOLERANCE * largest:
        found.append(f"avg is {row.avg}, the devices' rows say {mean}")
    if row.sum is not None and not abs(row.sum / count - mean) <= TOLERANCE * largest:
        found.append(f"sum is {row.sum}, the devices' rows say {mean * count}")
    sample_deviation = deviation * float(np.sqrt(count / max(1, count - 1)))
    if row.stddev is not None and not (
        abs(row.stddev - sample_deviation) <= DEVIATION_TOLERANCE * deviation + 8 * EPSILON * largest
    ):
        found.append(f"stddev is {row.stddev}, the devices' rows say {sample_deviation}")
    return found


def compare_day(connection: Connection, known: Frame, of: tuple[int, int], merged: Merged, findings: Findings) -> None:
    """Every row across devices of a (level, day)."""
    level, day = of
    _compare(connection, known, level, known.piece(day, day + DAY, []), merged, findings)


def compare_some(connection: Connection, known: Frame, level: int, places: Iterable[Place], findings: Findings) -> None:
    """Rows across devices of these places, against devices' rows and, if these aren't too many, events."""
    devices = list(known.devices)
    for metric, bucket in places:
        piece = Piece(at(bucket), at(bucket + level * SECOND), devices, [metric])
        merged = Merged()
        merged.add(store.statistics(connection, piece, level)[0])
        _compare(connection, known, level, piece, merged, findings)
        _compare_with_events(connection, known, level, piece, findings)


def _compare(
    connection: Connection, known: Frame, level: int, piece: Piece, merged: Merged, findings: Findings
) -> None:
    """The piece's rows across devices against `merged`."""
    rows = _rows(connection, known, level, piece)
    stale, expected = store.stale(connection, piece, level), merged.rows()
    for place in sorted(expected.keys() | rows.keys()):
        if place in stale or not known.covers(level, known.fleet[level], place[1]):
            continue
        if place not in rows:
            problems = ["there is no row across devices"]
        elif place not in expected:
            problems = ["a row across devices is stored, but devices have none"]
        else:
            problems = differences(expected[place], rows[place])
        findings.fleet_judged(level, *place, problems)


def _compare_with_events(connection: Connection, known: Frame, level: int, piece: Piece, findings: Findings) -> None:
    """The percentiles of one row across devices, which only the events can tell."""
    for (metric, bucket), row in _rows(connection, known, level, piece).items():
        if row.count > MOST_READINGS or store.dirty(connection, piece):
            continue
        within = [layout for layout, metrics in known.layouts.items() if metric in metrics.tolist()]
        read = readings(connection, known, replace(piece, layouts=within))
        values = np.sort(read.value[read.metric == metric])
        findings.fleet_problems(level, metric, bucket, comparison.differences(values, row) if len(values) else [])


def _rows(connection: Connection, known: Frame, level: int, piece: Piece) -> Mapping[Place, Row]:
    """The piece's rows across devices that aren't stale and are complete."""
    rows = comparison.stored(store.fleet_statistics(connection, piece, level))
    span = known.fleet[level]
    return {(metric, bucket): row for (_, metric, bucket), row in rows.items() if known.covers(level, span, bucket)}
