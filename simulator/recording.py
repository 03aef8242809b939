"""A recording's columns: who, when and what was measured."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from shared.errors import PlumblineError
from shared.events.strict import METRIC_NAME
from simulator.noise import F64, I64

Column = Any
"""A pyarrow.Array; the stubs of its compute functions know too few of their arguments."""

_READERS: dict[str, Callable[[str], pa.Table]] = {
    ".csv": lambda path: pyarrow.csv.read_csv(path),
    ".csv.gz": lambda path: pyarrow.csv.read_csv(path),
    ".ndjson": lambda path: pyarrow.json.read_json(path),
    ".jsonl": lambda path: pyarrow.json.read_json(path),
    ".parquet": lambda path: pyarrow.parquet.read_table(path),
}
_MILLISECONDS_FROM = 1e11
"""Epoch numbers at least so large are milliseconds, as in the wire contract."""


@dataclass(frozen=True)
class Mapped:
    """Which column is what. `device_column` or `device`; no `metrics`: every other column of numbers."""

    time_column: str
    device_column: str | None = None
    device: str | None = None
    metrics: Mapping[str, str] | None = None
    """Column to metric name."""
    time_zone: str = "UTC"


@dataclass(frozen=True)
class Recording:
    """Events in the file's order, one an index in each column."""

    devices: Sequence[str]
    time_us: I64
    """Microseconds since 1970."""
    metrics: Mapping[str, Sequence[float | None]]
    """By metric name; None where a row has none."""
    skipped: int
    """Rows without a time, a device or any reading."""


def read(path: Path, mapped: Mapped) -> Recording:
    """Reads a file of which `mapped` says what the columns are.

    Raises:
        PlumblineError: it can't be read, or a column isn't there or isn't of a kind that fits.
    """
    table = _table(path)
    times = _times(_column(table, mapped.time_column), mapped)
    devices = _devices(table, mapped)
    columns = {name: _readings(_column(table, column), column) for column, name in _names(table, mapped).items()}
    measured = np.any([~np.isnan(values) for values in columns.values()], axis=0)
    usable = measured & times.is_valid().to_numpy(False) & devices.is_valid().to_numpy(False)
    at = np.flatnonzero(usable)
    if not at.size:
        raise PlumblineError(f"{path}: no row has a time, a device and a reading → check the columns' options")
    return Recording(
        devices.take(at).to_pylist(),
        times.take(at).to_numpy().astype(np.int64),
        {name: _optional(values[at]) for name, values in columns.items()},
        table.num_rows - at.size,
    )


def _table(path: Path) -> pa.Table:
    reader = next((read for suffix, read in _READERS.items() if path.name.lower().endswith(suffix)), None)
    if reader is None:
        raise PlumblineError(f"{path}: unknown kind of file → name it {', '.join('*' + suffix for suffix in _READERS)}")
    try:
        return reader(str(path))
    except OSError as error:
        raise PlumblineError(f"{path}: {error.strerror or error} → name a readable file") from None
    except pa.ArrowException as error:
        raise PlumblineError(f"{path}: {_first_line(error)} → mend the file") from None


def _column(table: pa.Table, name: str) -> Column:
    if name not in table.column_names:
        raise PlumblineError(f"there is no column {name!r} → the file has {', '.join(table.column_names)}")
    return table.column(name).combine_chunks()


def _names(table: pa.Table, mapped: Mapped) -> Mapping[str, str]:
    if mapped.metrics:
        return mapped.metrics
    others = {mapped.time_column, mapped.device_column}
    names = {field.name: field.name for field in table.schema if field.name not in others and _is_number(field.type)}
    if not names:
        raise PlumblineError("no column holds numbers → name them with --metric COLUMN=NAME")
    for name in names:
        if not METRIC_NAME.fullmatch(name):
            raise PlumblineError(f"column {name!r} can't be a metric's name → --metric '{name}=NAME' for each column")
    return names


def _devices(table: pa.Table, mapped: Mapped) -> Column:
    if mapped.device_column is None:
        return pa.array([mapped.device] * table.num_rows, pa.string())
    column = _column(table, mapped.device_column)
    try:
        return column.cast(pa.string())
    except pa.ArrowException:
        raise PlumblineError(f"column {mapped.device_column!r} of {column.type} can't be device ids") from None


def _times(column: Column, mapped: Mapped) -> Column:
    """As timestamps in microseconds, UTC."""
    utc = pa.timestamp("us", "UTC")
    try:
        if _is_number(column.type):
            return pa.array(_epoch_us(column)).cast(utc)
        if not pa.types.is_timestamp(column.type):
            column = _parsed(column)
        if column.type.tz is None:
            column = pc.assume_timezone(column, mapped.time_zone, ambiguous="earliest", nonexistent="latest")
        return column.cast(utc, safe=False)
    except pa.ArrowException as error:
        raise PlumblineError(
            f"column {mapped.time_column!r} does not hold times ({_first_line(error)}) "
            "→ RFC 3339, or epoch seconds or milliseconds"
        ) from None


def _parsed(column: Column) -> Column:
    """Text to timestamps, with an offset or without."""
    try:
        return column.cast(pa.timestamp("us", "UTC"))
    except pa.ArrowException:
        return column.cast(pa.timestamp("us"))


def _epoch_us(column: Column) -> Column:
    number = _floats(column)
    us = np.rint(np.where(number >= _MILLISECONDS_FROM, number * 1e3, number * 1e6))
    return pa.array(us, mask=np.isnan(us)).cast(pa.int64())


def _readings(column: Column, name: str) -> F64:
    """Numbers; NaN where there is none, or one that isn't finite."""
    if not _is_number(column.type):
        raise PlumblineError(f"column {name!r} of {column.type} does not hold numbers → leave out its --metric")
    values = _floats(column)
    return np.where(np.isfinite(values), values, np.nan)


def _floats(column: Column) -> F64:
    values: F64 = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values


def _optional(values: F64) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
