"""What the parts of an event's way mean together. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ops.dlq.letters import state
from shared.events.codes import Limits, Refused
from shared.events.strict import Event, decode_one

_POSITION = re.compile(r"(?:(.+)/)?(\d{1,9}):(\d{1,18})", re.ASCII)
_ANY_TIME = Limits(max_event_bytes=2**40, max_future_us=2**61, max_age_us=2**61)


@dataclass(frozen=True, slots=True)
class Position:
    """A record's place; `topic` None: the readings topic."""

    topic: str | None
    partition: int
    offset: int


@dataclass(frozen=True)
class Record:
    """A record as Kafka holds it."""

    topic: str
    partition: int
    offset: int
    timestamp: float | None  # Kafka's, in epoch seconds
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def position(text: str) -> Position | None:
    """PARTITION:OFFSET or TOPIC/PARTITION:OFFSET; None: it is something else."""
    match = _POSITION.fullmatch(text)
    return None if match is None else Position(match[1], int(match[2]), int(match[3]))


def decoded(value: bytes | None) -> Event | None:
    """The event in these bytes, whenever it was; None: it is none."""
    try:
        return decode_one(value, _ANY_TIME, 0)
    except Refused:
        return None


@dataclass(frozen=True, slots=True)
class Reading:
    """Whether an offset was read: `state` is committed, waiting, skipped, or unknown; `chapter` 0 is the open one."""

    state: str
    words: str
    chapter: int | None = None
    acknowledged: bool | None = None


def reading(chapters: Sequence[Mapping[str, Any]], topic_id: str, offset: int) -> Reading:
    """What became of an offset of the topic with this id; `chapters`: the partition's, the open one last."""
    for row in reversed(chapters):
        if row["topic_id"] == topic_id and row["first_offset"] <= offset < row["next_offset"]:
            which = "the open chapter" if row["id"] == 0 else f"the chapter that decision {row['id']} closed"
            words = f"committed in {which}, {row['first_offset']} to {row['next_offset']}"
            return Reading("committed", words, row["id"], offset < row["acked_offset"])
    for row in chapters:
        if row["id"] and _skips(row, topic_id, offset):
            words = f"skipped by decision {row['id']} ({row['action']}: {row['reason']})"
            return Reading("skipped", words)
    if chapters and chapters[-1]["topic_id"] == topic_id and offset >= chapters[-1]["next_offset"]:
        return Reading("waiting", f"not read yet: the partition stands at {chapters[-1]['next_offset']}")
    if not chapters:
        return Reading("waiting", "not read yet: nobody has read the partition")
    return Reading("unknown", "not of any chapter: it was there before the first one, or the topic is another by now")


def _skips(row: Mapping[str, Any], topic_id: str, offset: int) -> bool:
    if row["new_topic_id"] != topic_id or offset >= row["new_offset"]:
        return False
    return bool(offset >= (row["next_offset"] if row["topic_id"] == topic_id else row["low"]))


@dataclass
class Found:
    """What is known of one event; a note says why its record isn't."""

    place: Position | None = None
    record: Record | None = None
    record_note: str = ""
    topic_id: str | None = None
    read: Reading | None = None
    ack: Mapping[str, Any] | None = None
    dead_letter: Mapping[str, Any] | None = None
    events: Sequence[Mapping[str, Any]] = ()
    buckets: Sequence[Mapping[str, Any]] = ()


def bucket(ts: datetime, level: int) -> datetime:
    """The start of the bucket of so many seconds (that divide a day) that holds the time, in UTC."""
    since = timedelta(seconds=ts.timestamp() // level * level)
    return datetime.fromtimestamp(0, ts.tzinfo) + since


def verdict(found: Found) -> tuple[bool, str]:
    """Whether the event is anywhere, and where it stands, in words."""
    if found.events:
        return True, "stored"
    if found.dead_letter is not None:
        return True, f"a dead letter ({found.dead_letter['code']}), {state(found.dead_letter)}"
    if found.read is not None and found.read.state == "committed":
        return (
            False,
            "committed, but neither stored nor a dead letter: a gap, deleted since, or lost (plumbline reconcile)",
        )
    if found.record is None:
        return False, "nowhere"
    return True, f"in Kafka only, {'' if found.read is None else found.read.words}".removesuffix(", ")
