"""What waiting says is lacking, and when it ends."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ops import wait
from ops.console import console
from shared.errors import ConfigurationError, Unavailable

NOW = datetime(2026, 11, 21, 21, 30, tzinfo=UTC)
CURRENT = {"materialized": NOW - timedelta(minutes=1), "watermark": NOW - timedelta(minutes=1), "late_waiting": False}


def test_records_below_the_end_that_have_no_outcome_are_lacking() -> None:
    ends = {("readings", 0): (0, 10), ("readings", 1): (5, 9), ("readings", 2): (3, 3)}
    assert wait.unread(ends, {("readings", 0): 10, ("readings", 1): 9}) == []
    assert wait.unread(ends, {("readings", 0): 12, ("readings", 1): 7}) == ["readings[1]: 2 records aren't stored"]
    assert wait.unread(ends, {("readings", 0): 10}) == ["readings[1]: 4 records aren't stored"]


def test_without_a_topic_nothing_is_stored() -> None:
    assert wait.unread({}, {}) == ["Kafka has no topic of readings"]


def test_statistics_that_are_up_to_date_lack_nothing() -> None:
    assert wait.behind(CURRENT, NOW) == []
    assert wait.behind(CURRENT, NOW + timedelta(minutes=9)) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"materialized": None}, "no bucket is closed and stored yet"),
        ({"watermark": None, "materialized": None}, "no bucket is closed and stored yet"),
        (
            {"materialized": NOW - timedelta(minutes=2)},
            "of the closed buckets those up to 2026-11-21 21:28 UTC are stored",
        ),
        ({"late_waiting": True}, "late events wait to be worked in"),
        (
            {name: NOW - timedelta(minutes=11) for name in ("materialized", "watermark")},
            "buckets are closed up to 2026-11-21 21:19 UTC only",
        ),
    ],
)  # fmt: skip
def test_what_keeps_statistics_from_being_up_to_date_is_said(changed: dict[str, object], said: str) -> None:
    assert wait.behind(CURRENT | changed, NOW) == [said]


def answers(*each: list[str] | Exception) -> wait.Condition:
    """Says one after the other, then the last one again and again."""

    def one_by_one() -> Iterator[list[str] | Exception]:
        yield from each
        while True:
            yield each[-1]

    said = one_by_one()

    def lacking() -> list[str]:
        found = next(said)
        if isinstance(found, Exception):
            raise found
        return found

    return lacking


def patiently(condition: wait.Condition, timeout_s: float) -> list[str]:
    return wait.patiently("a test", condition, timeout_s, console(stderr=True))


def test_waiting_ends_when_nothing_is_lacking_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait, "POLL_S", 0.001)
    assert patiently(answers(["two"], Unavailable("Kafka is away → start it"), ["one"], []), 30) == []


def test_at_the_timeout_it_says_what_is_lacking_and_has_asked_at_least_once() -> None:
    assert patiently(answers(["one"]), 0) == ["one"]
    assert patiently(answers(Unavailable("Kafka is away → start it")), 0) == ["Kafka is away"]
    assert patiently(answers([]), 0) == []


def test_wrong_settings_are_not_waited_for() -> None:
    with pytest.raises(ConfigurationError):
        patiently(answers(ConfigurationError("DB_PORT: it isn't a number")), 30)


def test_what_ended_ends_the_wait() -> None:
    def alive() -> None:
        raise Unavailable("ingestion ended")

    with pytest.raises(Unavailable, match="ingestion ended"):
        wait.patiently("a test", answers(["one"]), 30, console(stderr=True), alive)
