"""Stored events as /records and /vital-data answer with them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

_MOST_BYTES = 8 * 1024 * 1024  # a page ends with the row that reaches it
_AT_ONCE = 256  # rows, in between others have their turn
_LARGE_AT_ONCE = 256 * 1024  # bytes of extras as they are stored, compressed
_NO_EXTRAS = msgspec.Raw(b"{}")


class Stored(NamedTuple):
    """A row of `events`; `values` are in the order of the layout's metrics.

    `extras`: JSON; None: there are none, or they are `large` bytes in the table, to be read when they are needed.
    """

    device: int
    ts: datetime
    layout: int
    values: list[float]
    extras: str | None
    large: int


Extras = Callable[[Sequence[Stored]], Awaitable[Sequence[str]]]


async def rendered(
    rows: Sequence[Stored], device_ids: Mapping[int, str], names: Mapping[int, Sequence[str]], extras: Extras
) -> list[bytes]:
    """The rows as JSON objects, in order, as many as a page may have bytes; at least one.

    `device_ids` by device, `names` of metrics by layout; `extras` reads those that are large.
    """
    made: list[bytes] = []
    size = 0
    for batch in _batches(rows):
        large = [row for row in batch if row.large]
        texts = iter(await extras(large) if large else ())
        for row in batch:
            text = next(texts) if row.large else row.extras
            made.append(_render(row, device_ids[row.device], names[row.layout], text))
            size += len(made[-1])
            if size >= _MOST_BYTES:
                return made
        await asyncio.sleep(0)
    return made


def page(rows: Sequence[bytes], next_cursor: str | None) -> bytes:
    """The body of an answer."""
    return msgspec.json.encode({"rows": msgspec.Raw(b"[" + b",".join(rows) + b"]"), "next_cursor": next_cursor})


def _batches(rows: Sequence[Stored]) -> Iterator[Sequence[Stored]]:
    first, large = 0, 0
    for number, row in enumerate(rows):
        large += row.large
        if number > first and (number - first >= _AT_ONCE or large > _LARGE_AT_ONCE):
            yield rows[first:number]
            first, large = number, row.large
    yield rows[first:]


def _render(row: Stored, device_id: str, names: Sequence[str], extras: str | None) -> bytes:
    """Its numbers are read back as exactly the doubles that are stored."""
    members = {
        "device_id": device_id,
        "timestamp": row.ts.isoformat().replace("+00:00", "Z"),
        "data_payload": dict(zip(names, row.values, strict=True)),
        "extras": _NO_EXTRAS if extras is None else msgspec.Raw(extras.encode()),
    }
    return msgspec.json.encode(members)
