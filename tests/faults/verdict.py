"""What became of a load: every accepted event is stored or dead-lettered, once, counted, told, and in statistics."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from shared.topics import ack_topic
from tests import aggregated
from tests.aggregated import rows
from tests.faults.load import Accepted
from tests.pipeline import CHAPTERS, assert_accounts, consume_all, high_watermarks
from tests.servers import Database, Topics


@dataclass(frozen=True)
class Verdict:
    """One fault's outcome: a row of the report.

    `in_flight`: accepted and not committed when the fault struck, summed over its `injected` times. `recovery_seconds`:
    from the end of the fault until all that Kafka held by then was committed, and something new under a running load;
    the longest one. `without`: the
    protection that was off, for a control.
    """

    fault: str
    injected: int
    in_flight: int
    lost: int
    doubled: int
    recovery_seconds: float
    problems: tuple[str, ...]
    without: str = ""

    def survived(self) -> None:
        """Fails the test unless all is well."""
        assert self.injected > 0, "the fault never struck: this tests nothing"
        assert (self.lost, self.doubled, self.problems) == (0, 0, ())


@dataclass(frozen=True)
class Findings:
    """`lost` and `doubled` in events and dead letters; `problems`: what else is wrong, in words."""

    lost: int
    doubled: int
    problems: tuple[str, ...]


def compare(accepted: Iterable[Accepted], topics: Topics, database: Database, *, told: bool = True) -> Findings:
    """The database, and the topics that tell of it unless the broker lost of those too, against what was accepted."""
    loads = list(accepted)
    lost, extra = _events(loads, database)
    missing, foreign = _dead_letters(loads, topics, database)
    twice = _counted_twice(database)
    checks: dict[str, Callable[[], object]] = {
        "accounts": lambda: assert_accounts(database),
        "positions": lambda: _at_the_end(topics, database),
        "statistics": lambda: _statistics(database),
    }
    if told:
        checks["acks"] = lambda: _acknowledged(topics, database)
        checks["dead letters"] = lambda: _published(topics, database)
    complaints = {name: _complaint(check) for name, check in checks.items()}
    problems = tuple(f"{name}: {complaint}" for name, complaint in complaints.items() if complaint)
    return Findings(lost + missing, max(extra + foreign, twice), problems)


def _complaint(check: Callable[[], object]) -> str:
    try:
        check()
    except AssertionError as error:
        return str(error)[:500] or "doesn't hold"
    return ""


def _events(loads: list[Accepted], database: Database) -> tuple[int, int]:
    """How many events are missing, and how many rows too many."""
    stored = Counter(
        rows(
            database,
            "SELECT device_id, extract(epoch FROM ts)::int8, value::int8 FROM readings WHERE metric = 'm'",
        )
    )
    certain: set[tuple[str, int, int]] = set()
    possible: set[tuple[str, int, int]] = set()
    for load in loads:
        for number, partition, offset in load.records:
            if not load.shape.poison(number):
                kept = offset not in load.gone.get(partition, ())
                (certain if kept else possible).add((*load.shape.identity(number), number))
        possible |= {(*load.shape.identity(number), number) for number in load.unknown}
    extra = sum(count - (event in certain or event in possible) for event, count in stored.items())
    return len(certain - stored.keys()), extra


def _dead_letters(loads: list[Accepted], topics: Topics, database: Database) -> tuple[int, int]:
    """How many dead letters are missing, and how many were none."""
    found = rows(database, 'SELECT partition, "offset", value FROM dead_letters ORDER BY at')
    stored = {(partition, offset, bytes(value)) for partition, offset, value in found}
    sent = {
        (partition, offset, load.shape.value(number)): offset not in load.gone.get(partition, ())
        for load in loads
        for number, partition, offset in load.records
        if load.shape.poison(number)
    }
    certain = {letter for letter, kept in sent.items() if kept}
    unknown = {load.shape.value(number) for load in loads for number in load.unknown if load.shape.poison(number)}
    foreign = {letter for letter in stored - sent.keys() if letter[2] not in unknown}
    return len(certain - stored), len(foreign)


def _counted_twice(database: Database) -> int:
    """How many more outcomes were counted than offsets were read."""
    [(twice,)] = rows(
        database,
        "SELECT coalesce(sum(greatest(0, events_total - next_offset + first_offset)), 0)::int8 FROM kafka_offsets",
    )
    return int(twice)


def _at_the_end(topics: Topics, database: Database) -> None:
    stands = dict(rows(database, "SELECT partition, next_offset FROM kafka_offsets"))
    assert stands == high_watermarks(topics)


def _acknowledged(topics: Topics, database: Database) -> None:
    """Success acks cover every offset of each chapter, each range always with the same words."""
    ranges: dict[tuple[str, int, int], str] = {}
    for ack in _acks(topics, "success"):
        text = json.dumps(ack, sort_keys=True)
        assert ranges.setdefault((ack["topic_id"], ack["partition"], ack["first_offset"]), text) == text
    offsets = rows(
        database,
        f"SELECT topic_id, partition, first_offset, next_offset, acked_offset FROM {CHAPTERS}",  # noqa: S608
    )
    for topic_id, partition, first, end, acked in offsets:
        assert acked == end, f"partition {partition}: acknowledged up to {acked} of {end}"
        at = first
        for ack in (json.loads(text) for where, text in sorted(ranges.items()) if where[:2] == (topic_id, partition)):
            if not first <= ack["first_offset"] < end:
                continue  # another chapter's
            assert ack["first_offset"] == at, f"partition {partition}: acks jump from {at} to {ack['first_offset']}"
            at = ack["last_offset"] + 1
        assert at == end, f"partition {partition}: acks end at {at} of {end}"


def _acks(topics: Topics, outcome: str) -> list[dict[str, Any]]:
    name = ack_topic(topics.settings, outcome)
    found = consume_all(topics, name, sum(high_watermarks(topics, name).values()))
    return [json.loads(value or b"") for _, value, _ in found]


def _published(topics: Topics, database: Database) -> None:
    """Every dead letter is on its topic with its bytes, and has its error ack."""
    stored = rows(database, 'SELECT partition, "offset", value FROM dead_letters')
    assert rows(database, "SELECT count(*) FROM dead_letters WHERE published_at IS NULL") == [(0,)]
    name = topics.settings.topic_dead_letters
    letters = consume_all(topics, name, sum(high_watermarks(topics, name).values()))
    where = ("plumbline.error.partition", "plumbline.error.offset")
    published = {(int(headers[where[0]]), int(headers[where[1]]), value) for _, value, headers in letters}
    assert published == {(partition, offset, bytes(value)) for partition, offset, value in stored}
    errors = {(ack["partition"], ack["offset"]) for ack in _acks(topics, "validation-error")}
    assert errors == {(partition, offset) for partition, offset, _ in stored}


def _statistics(database: Database) -> None:
    """One run of the aggregator makes what plain Python recomputes."""
    aggregated.run(database)
    aggregated.verified(database)
