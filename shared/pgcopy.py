"""Postgres's binary COPY format, from and to numpy columns: never a row at a time.

Format: https://www.postgresql.org/docs/18/sql-copy.html (Binary Format). A row is an int16 count of fields, and for
each an int32 length (−1: null) and its bytes, big endian.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

Column = npt.NDArray[np.generic] | None

_EPOCH_US = 946_684_800_000_000  # Postgres counts microseconds from 2000-01-01
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
        return [(length, ">i4", (), 8), (name, ">i8", (), column.astype("datetime64[us]").view(np.int64) - _EPOCH_US)]
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


@dataclass(frozen=True, slots=True)
class Events:
    """Rows of `events` as columns: n rows, and `values` row after row."""

    device: npt.NDArray[np.int32]
    ts: npt.NDArray[np.datetime64]
    layout: npt.NDArray[np.int32]
    values: npt.NDArray[np.float64]
    length: npt.NDArray[np.int64]


_EVENT_HEAD = np.dtype(
    [
        ("fields", ">i2"),
        ("device.length", ">i4"), ("device", ">i4"),
        ("ts.length", ">i4"), ("ts", ">i8"),
        ("layout.length", ">i4"), ("layout", ">i4"),
        ("values.length", ">i4"),
    ]
)  # fmt: skip


def decode_events(data: bytes) -> Events:
    """Reads `COPY (SELECT device, ts, layout, values …) TO STDOUT (FORMAT binary)`, HEADER and TRAILER included.

    Rows of one size that follow each other are read at once, so order by device: a device seldom changes its layout.
    """
    buffer = np.frombuffer(data, np.uint8)
    heads: list[npt.NDArray[np.void]] = []
    blocks: list[npt.NDArray[np.float64]] = []
    lengths: list[npt.NDArray[np.int64]] = []
    position, end = len(HEADER), len(buffer) - len(TRAILER)
    while position < end:
        head = buffer[position : position + _EVENT_HEAD.itemsize].view(_EVENT_HEAD)[0]
        size = _EVENT_HEAD.itemsize + int(head["values.length"])
        rows = _run(buffer, position, end, size)
        heads.append(rows[:, : _EVENT_HEAD.itemsize].copy().view(_EVENT_HEAD)[:, 0])
        elements = max(0, (size - _EVENT_HEAD.itemsize - _ARRAY_HEADER) // _ELEMENT)
        blocks.append(_elements(rows, elements))
        lengths.append(np.full(len(rows), elements, np.int64))
        position += rows.size
    return _columns(heads, blocks, lengths)


def _run(buffer: npt.NDArray[np.uint8], position: int, end: int, size: int) -> npt.NDArray[np.uint8]:
    """The rows from `position` on that have this size, as a matrix of bytes (n, size)."""
    at = _EVENT_HEAD.fields["values.length"][1]  # type: ignore[index]
    wanted = buffer[position + at : position + at + 4]
    fields = buffer[position : position + 2]
    most, step = (end - position) // size, 64
    count = 1
    while count < most:
        # Look ahead in growing steps: a short run costs little, a long one few calls.
        step = min(step * 4, most - count)
        rows = buffer[position + count * size : position + (count + step) * size].reshape(step, size)
        same = (rows[:, at : at + 4] == wanted).all(axis=1) & (rows[:, :2] == fields).all(axis=1)
        alike = step if same.all() else int(same.argmin())
        count += alike
        if alike < step:
            break
    return buffer[position : position + count * size].reshape(count, size)


def _elements(rows: npt.NDArray[np.uint8], elements: int) -> npt.NDArray[np.float64]:
    if elements == 0:
        return np.empty(0)
    start = _EVENT_HEAD.itemsize + _ARRAY_HEADER
    pairs = rows[:, start:].reshape(len(rows), elements, _ELEMENT)[:, :, 4:]
    return np.ascontiguousarray(pairs).view(">f8").astype(np.float64).ravel()


def _columns(
    heads: list[npt.NDArray[np.void]], blocks: list[npt.NDArray[np.float64]], lengths: list[npt.NDArray[np.int64]]
) -> Events:
    head = np.concatenate(heads) if heads else np.empty(0, _EVENT_HEAD)
    return Events(
        device=head["device"].astype(np.int32),
        ts=(head["ts"].astype(np.int64) + _EPOCH_US).view("datetime64[us]"),
        layout=head["layout"].astype(np.int32),
        values=np.concatenate(blocks) if blocks else np.empty(0),
        length=np.concatenate(lengths) if lengths else np.empty(0, np.int64),
    )
