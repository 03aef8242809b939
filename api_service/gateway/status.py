"""What became of the events of a receipt. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api_service.gateway.receipt import Accepted

PENDING, PERSISTED, DEAD_LETTERED = "pending", "persisted", "dead_lettered"
SKIPPED = "skipped"  # an operator decided that ingestion goes on behind it: it is in Kafka, and not read

Place = tuple[int, int]  # partition, offset


@dataclass(frozen=True, slots=True)
class Chapter:
    """Offsets of a partition that ingestion has read, [first, next); `open`: it goes on reading at `next`."""

    partition: int
    first: int
    next: int
    open: bool


def report(receipt: str, accepted: Accepted, chapters: Sequence[Chapter], dead: Mapping[Place, str]) -> dict[str, Any]:
    """The answer: a status for each event. `chapters` are the receipt's topic's, `dead` the codes of dead letters."""
    own: dict[int, list[Chapter]] = {}
    for chapter in chapters:
        own.setdefault(chapter.partition, []).append(chapter)
    events = []
    counts = {PENDING: 0, PERSISTED: 0, DEAD_LETTERED: 0}
    for index, partition, offset in zip(accepted.index, accepted.partition, accepted.offset, strict=True):
        status, code = _fate(own.get(partition, ()), partition, offset, dead)
        counts[status] += 1
        events.append({"index": index, "status": status} | ({"code": code} if code else {}))
    return {"receipt": receipt, **counts, "events": events}


def _fate(
    chapters: Sequence[Chapter], partition: int, offset: int, dead: Mapping[Place, str]
) -> tuple[str, str | None]:
    if any(chapter.first <= offset < chapter.next for chapter in chapters):
        code = dead.get((partition, offset))
        return (DEAD_LETTERED, code) if code else (PERSISTED, None)
    # Nothing is known of a partition that ingestion hasn't seen yet.
    comes = not chapters or any(chapter.open and offset >= chapter.next for chapter in chapters)
    return PENDING, None if comes else SKIPPED
