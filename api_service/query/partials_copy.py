"""Rows of `stats` from Postgres's binary COPY, as columns."""

import numpy as np
import numpy.typing as npt

from shared.pgcopy import HEADER, TRAILER
from shared.statistics import Partials

# The columns that `decode_partials` reads, in this order.
COLUMNS = "device, metric, bucket, count, sum, sum_error, min, max, m2, late, rank_error, summary"

_EPOCH_US = 946_684_800_000_000  # Postgres counts microseconds from 2000-01-01
_TYPES = {"device": ">i4", "metric": ">i4", "bucket": ">i8", "count": ">i8", "late": ">i8"}
_NAMES = COLUMNS.split(", ")[:-1]
_FIELDS = [(name, _TYPES.get(name, ">f8")) for name in _NAMES]
# Every field is an int32 length and its bytes; a row is an int16 count of fields, and ends with the summary.
_HEAD = np.dtype(
    [("fields", ">i2")]
    + [part for name, kind in _FIELDS for part in ((f"{name}.length", ">i4"), (name, kind))]
    + [("summary.length", ">i4")]
)


def decode_partials(data: bytes) -> Partials:
    """The rows of `COPY (SELECT COLUMNS …) TO STDOUT (FORMAT binary)`, in the order they came; none may be null."""
    starts, lengths = _rows(data)
    at = np.array(starts, np.int64)
    sizes = np.array(lengths, np.int64)
    buffer = np.frombuffer(data, np.uint8)
    head = buffer[at[:, None] + np.arange(_HEAD.itemsize)].reshape(-1).view(_HEAD)
    summary_at = (start + _HEAD.itemsize for start in starts)
    summaries = b"".join(data[start : start + size] for start, size in zip(summary_at, lengths, strict=True))
    columns: dict[str, npt.NDArray[np.generic]] = {
        name: head[name].astype(head[name].dtype.newbyteorder("=")) for name in _NAMES
    }
    columns["bucket"] = (head["bucket"].astype(np.int64) + _EPOCH_US).view("datetime64[us]")
    return Partials(**columns, summary=np.frombuffer(summaries, "<f8"), summary_length=sizes // 8)  # type: ignore[arg-type]


def _rows(data: bytes) -> tuple[list[int], list[int]]:
    """Where rows begin, and how many bytes their summaries have."""
    starts, lengths = [], []
    position, end, head = len(HEADER), len(data) - len(TRAILER), _HEAD.itemsize
    while position < end:
        size = int.from_bytes(data[position + head - 4 : position + head], "big")
        starts.append(position)
        lengths.append(size)
        position += head + size
    return starts, lengths
