"""Postgres's binary COPY format, made of numpy columns: never a row at a time.

Format: https://www.postgresql.org/docs/18/sql-copy.html (Binary Format). A row is an int16 count of fields, and for
each an int32 length (−1: null) and its bytes, big endian.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

Column = npt.NDArray[np.generic] | None

EPOCH_US = 946_684_800_000_000  # Postgres counts microseconds from 2000-01-01
_FLOAT8_OID = 701
_ARRAY_HEADER = 20  # dimensions, flags, element type, length, lower bound: int32 each
_ARRAY_EMPTY = 12  # an array without elements has no dimension
_ELEMENT = 12  # int32 length, float64


def encode(columns: Sequence[Column]) -> bytes:
    """The rows of one COPY block, without HEADER and TRAILER.

    Columns have the same number of rows. 1-D: int32, int64, float64, datetime64[us] (timestamptz, UTC);
    2-D, so all rows alike: float64 (float8[]), uint8 (bytea, or jsonb behind its version byte); None: null.
    """
    count = next(len(column) for column in columns if column is not None)
    fields: list[tuple[str, npt.DTypeLike] | tuple[str, npt.DTypeLike, tuple[int, ...]]] = [("fields", ">i2")]
    values: list[tuple[str, object]] = [("fields", len(columns))]
    for number, column in enumerate(columns):
        for name, dtype, shape, value in _wire(f"c{number}", column):
            fields.append((name, dtype, shape))
            values.append((name, value))
    rows = np.empty(count, np.dtype(fields))
    for name, value in values:
        rows[name] = value
    return rows.tobytes()


def _wire(name: str, column: Column) -> list[tuple[str, str, tuple[int, ...], object]]:
    """A column's pieces in a row: (name, dtype, shape, values)."""
    length = f"{name}.length"
    if column is None:
        return [(length, ">i4", (), -1)]
    if column.ndim == 2 and column.dtype == np.uint8:
        width = column.shape[1]
        return [(length, ">i4", (), width), (name, "u1", (width,), column)]
    if column.ndim == 2:
        return _wire_array(name, column)
    if column.dtype.kind == "M":
        return [(length, ">i4", (), 8), (name, ">i8", (), column.astype("datetime64[us]").view(np.int64) - EPOCH_US)]
    size = column.dtype.itemsize
    return [(length, ">i4", (), size), (name, f">{column.dtype.kind}{size}", (), column)]


def _wire_array(name: str, column: npt.NDArray[np.generic]) -> list[tuple[str, str, tuple[int, ...], object]]:
    elements = column.shape[1]
    if elements == 0:
        header = [_ARRAY_EMPTY, 0, 0, _FLOAT8_OID]
        return [(f"{name}.header", ">i4", (4,), header)]
    pairs = np.empty(column.shape, np.dtype([("length", ">i4"), ("value", ">f8")]))
    pairs["length"] = 8
    pairs["value"] = column
    header = [_ARRAY_HEADER + _ELEMENT * elements, 1, 0, _FLOAT8_OID, elements, 1]
    return [
        (f"{name}.header", ">i4", (6,), header),
        (name, "u1", (_ELEMENT * elements,), pairs.view(np.uint8).reshape(len(column), -1)),
    ]
