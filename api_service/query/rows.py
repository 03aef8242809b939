"""A tile's statistics as the rows of the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from api_service.query import times
from api_service.query.plan import Micros
from api_service.query.question import Question, percentile_name
from api_service.query.tile import Series, Tile
from shared.statistics import means, quantiles, stddevs, sums

_FINAL = -4  # its place among a row's values


@dataclass(frozen=True, slots=True)
class Row:
    """`start` and `end` in microseconds; `values` in the order of `value_names`."""

    device_id: str | None
    metric: str
    start: int
    end: int
    values: tuple[Any, ...]

    @property
    def final(self) -> bool:
        """Only late data can change it."""
        return bool(self.values[_FINAL])


def names(question: Question) -> list[str]:
    """The members of a row, in order."""
    return ["device_id", "metric", "start", "end", *_value_names(question)]


def texts(row: Row) -> tuple[Any, ...]:
    """The values of `names`; times as text."""
    return (row.device_id, row.metric, times.render(row.start), times.render(row.end), *row.values)


def _value_names(question: Question) -> list[str]:
    percentiles = [percentile_name(percentile) for percentile in question.percentiles]
    return [
        *("count", "min", "max", "avg", "sum", "stddev"),
        *percentiles,
        *("final", "method", "max_rank_error", "late"),
    ]


def make(tile: Tile, series: Sequence[Series], edges: Micros, question: Question, closed_until: int) -> list[Row]:
    """The rows of a tile: of cells with readings, or of all of them with `fill=null`."""
    buckets = len(edges) - 1
    values = _values(tile, question)
    starts, ends = edges[:-1].tolist(), edges[1:].tolist()
    at = {cell: number for number, cell in enumerate(tile.cell.tolist())}
    nothing = [0, *[None] * (5 + len(question.percentiles))]
    chosen = range(len(series) * buckets) if question.fill else at
    dirty = tile.dirty.tolist()
    made = []
    for cell in chosen:
        one, bucket = series[cell // buckets], cell % buckets
        final = ends[bucket] <= closed_until and not dirty[cell]
        number = at.get(cell)
        if number is None:
            own = (*nothing, final, None, None, 0)
        else:
            numbers, (method, error, late) = values[number]
            own = (*numbers, final, method, error, late)
        made.append(Row(one.device_id, one.metric, starts[bucket], ends[bucket], own))
    return made


def _values(tile: Tile, question: Question) -> list[tuple[list[Any], tuple[str, float, int]]]:
    """For each row with readings: count, min, …, percentiles; and method, rank error, late."""
    partials = tile.partials
    fractions = np.array([float(percentile / 100) for percentile in question.percentiles])
    columns = [partials.min, partials.max, means(partials), sums(partials), stddevs(partials)]
    answers, rank_errors = quantiles(partials, fractions)
    numbers = np.column_stack([*columns, answers])
    texts: list[list[Any]] = numbers.tolist()
    for row, column in np.argwhere(np.isnan(numbers)).tolist():
        texts[row][column] = None
    errors = rank_errors.max(axis=1, initial=0.0).tolist()
    # A bucket that the range cuts has counted late readings that may lie outside.
    late = np.minimum(partials.late + tile.more_late[tile.cell], partials.count).tolist()
    return [
        ([count, *row], ("sketch" if error else "exact", error, late_readings))
        for count, row, error, late_readings in zip(partials.count.tolist(), texts, errors, late, strict=True)
    ]
