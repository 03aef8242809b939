"""Where a partition stands: what the database stored against what Kafka holds. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingestion_service.batch import Claim
from ingestion_service.partitions import Reason, misplaced
from ops.broker import Held
from shared.errors import PlumblineError

OK = "ok"
UNCLAIMED = "unclaimed"

MEANING = {
    Reason.RETENTION_OVERTOOK: "Kafka has deleted records that were not read yet",
    Reason.TRUNCATED: "Kafka ends before the stored offset: it lost records",
    Reason.TOPIC_RECREATED: "the topic was deleted and made again",
    Reason.TOPIC_GONE: "Kafka has no such partition",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One partition. What isn't known, because Kafka or the database lacks the partition, is None."""

    topic: str
    partition: int
    offset: int | None
    low: int | None
    high: int | None
    lag: int | None
    topic_id: str | None
    actual_topic_id: str | None
    owner: str | None
    owner_epoch: int | None
    state: str
    chapter: int  # the id of the last decision about it; 0: none yet

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.topic}[{self.partition}]"

    @property
    def needs_decision(self) -> bool:
        """Whether it stands still until an operator decides."""
        return self.state not in (OK, UNCLAIMED)


@dataclass(frozen=True, slots=True)
class Plan:
    """A decision about one partition, checked against what Kafka holds."""

    action: str
    standing: Standing
    topic_id: str
    offset: int
    low: int
    high: int

    def sentence(self) -> str:
        """What it does, for people."""
        now, state = self.standing, self.standing.state
        again = "a new topic of that name" if now.topic_id != self.topic_id else "the topic"
        moved = f"{now.name} ({state}): its chapter closes at {now.offset}, it goes on at {self.offset} of {again}"
        return f"{moved}, which holds {self.low} to {self.high}; {_effect(self)}"


def standings(rows: Sequence[Mapping[str, Any]], held: Mapping[str, Held]) -> list[Standing]:
    """Every partition that the database or Kafka knows, in order."""
    stored = {(row["topic"], row["partition"]): row for row in rows}
    there = {(topic, number) for topic, found in held.items() for number in found.watermarks}
    return [_standing(key, stored.get(key), held.get(key[0])) for key in sorted(stored.keys() | there)]


def _standing(key: tuple[str, int], row: Mapping[str, Any] | None, held: Held | None) -> Standing:
    low, high = held.watermarks.get(key[1], (None, None)) if held else (None, None)
    offset = None if row is None else row["next_offset"]
    same = row is not None and held is not None and row["topic_id"] == held.topic_id
    start = offset if same else low  # of a topic that was made again, all that it holds
    return Standing(
        *key,
        offset=offset,
        low=low,
        high=high,
        lag=None if high is None or start is None else max(0, high - start),
        topic_id=None if row is None else row["topic_id"],
        actual_topic_id=held.topic_id if held else None,
        owner=None if row is None or row["owner"].int == 0 else str(row["owner"]),
        owner_epoch=None if row is None else row["owner_epoch"],
        state=judge(row, held),
        chapter=0 if row is None else row["chapter"],
    )


def judge(row: Mapping[str, Any] | None, held: Held | None) -> str:
    """`ok`, `unclaimed`, or the Reason why ingestion can't go on from the stored offset."""
    if row is None:
        return UNCLAIMED
    if held is None or row["partition"] not in held.watermarks:
        return Reason.TOPIC_GONE.value
    if row["topic_id"] != held.topic_id:
        return Reason.TOPIC_RECREATED.value
    names = ("topic", "partition", "topic_id", "owner_epoch", "next_offset", "leader_epoch", "truncated")
    claim = Claim(*(row[name] for name in names))
    reason = misplaced(claim, *held.watermarks[row["partition"]])
    return OK if reason is None else reason.value


def plan(action: str, standing: Standing, to: str) -> Plan:
    """The decision `action` (skip or restart) to go on at `to`: earliest, latest or an offset.

    Raises:
        PlumblineError: it makes no sense.
    """
    if standing.offset is None:
        raise PlumblineError(f"{standing.name} was never read → there is nothing to decide: ingestion starts by itself")
    if standing.low is None or standing.high is None or standing.actual_topic_id is None:
        raise PlumblineError(f"Kafka has no {standing.name} → make the topic again (`python -m shared.topics`) first")
    offset = _offset(standing.name, to, standing.low, standing.high)
    same = standing.topic_id == standing.actual_topic_id
    if action == "skip" and same and offset < standing.offset:
        raise PlumblineError(
            f"{standing.name} stands at {standing.offset}, and {offset} is before that → to go back: "
            f"plumbline offsets restart --partition {standing.partition} --from {offset} --reason …"
        )
    return Plan(action, standing, standing.actual_topic_id, offset, standing.low, standing.high)


def require_gone(standing: Standing) -> None:
    """Raises PlumblineError unless Kafka has no such partition any more."""
    if standing.offset is None:
        raise PlumblineError(f"{standing.name} was never read → there is nothing to retire")
    if standing.state != Reason.TOPIC_GONE.value:
        raise PlumblineError(
            f"Kafka has {standing.name} ({standing.state}) → it can't be retired; plumbline offsets restart|skip"
        )


def heir(found: Sequence[Standing]) -> str | None:
    """The owner of a partition that is well: a service that runs, most likely."""
    return next((each.owner for each in found if each.state == OK and each.owner is not None), None)


def _offset(name: str, to: str, low: int, high: int) -> int:
    if to in ("earliest", "latest"):
        return low if to == "earliest" else high
    if not (to.isascii() and to.isdigit()):
        raise PlumblineError(f"{to!r} is no offset → earliest, latest or a number")
    if not low <= int(to) <= high:
        raise PlumblineError(f"offset {to} is outside of what {name} holds → choose from {low} to {high}")
    return int(to)


def _effect(chosen: Plan) -> str:
    now = chosen.standing
    if now.topic_id != chosen.topic_id:
        skipped = chosen.offset - chosen.low
        lost = "what the old one held and was not read is lost"
        return f"{lost}, {skipped} records of the new one are skipped" if skipped else lost
    moved = chosen.offset - (now.offset or 0)
    if moved < 0:
        return f"{-moved} offsets are read again: events that are stored already count as duplicates"
    return f"{moved} offsets are skipped" if moved else "nothing is skipped"
