"""Records to parcels: what is kept, sent and acknowledged together."""

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from simulator.record import Record

MOST_BYTES = 1_000_000
"""Of a body; an API takes 8 MiB, if it isn't set lower."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Events of one lane, in order, as lines of NDJSON without the last line's end."""

    lane: int
    events: int
    body: bytes
    planned: Mapping[str, int] = field(default_factory=dict)
    """How many of them must be rejected, by code."""


def lane_of(key: bytes | None, lanes: int) -> int:
    """A device's events go through one lane, so they stay in order."""
    return zlib.crc32(key or b"") % lanes


def pack(records: Sequence[Record], lanes: int, most_events: int) -> list[Parcel]:
    """Parcels of at most so many events and MOST_BYTES (or one event), in the order of the records in each lane."""
    by_lane: list[list[Record]] = [[] for _ in range(lanes)]
    for record in records:
        by_lane[lane_of(record["key"], lanes)].append(record)
    return [_parcel(lane, part) for lane, mine in enumerate(by_lane) for part in _cut(mine, most_events)]


def halves(body: bytes) -> tuple[bytes, bytes]:
    """A body of two lines or more as two of about as many lines each."""
    lines = body.split(b"\n")
    middle = len(lines) // 2
    return b"\n".join(lines[:middle]), b"\n".join(lines[middle:])


def _parcel(lane: int, records: Sequence[Record]) -> Parcel:
    planned = Counter(record["code"] for record in records if "code" in record)
    return Parcel(lane, len(records), b"\n".join([record["value"] for record in records]), planned)


def _cut(records: Sequence[Record], most_events: int) -> Iterator[Sequence[Record]]:
    begin = size = 0
    for at, record in enumerate(records):
        more = len(record["value"]) + 1
        if at - begin == most_events or (at > begin and size + more > MOST_BYTES):
            yield records[begin:at]
            begin, size = at, 0
        size += more
    if records:
        yield records[begin:]
