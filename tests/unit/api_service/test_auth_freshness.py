"""When keys are fetched, on a time line in seconds."""

from api_service.auth.freshness import Freshness


def test_they_are_due_at_once_then_every_five_minutes_or_as_the_provider_asks() -> None:
    freshness = Freshness(3600)
    assert freshness.due < 0
    for max_age, pause in ((None, 300), (86_400, 300), (120, 120), (0, 60)):
        freshness.fetched(1000, max_age)
        assert freshness.due == 1000 + pause


def test_they_are_due_before_they_are_too_old() -> None:
    freshness = Freshness(10)
    freshness.fetched(1000, None)
    assert freshness.due == 1005


def test_they_count_until_max_stale() -> None:
    freshness = Freshness(3600)
    assert not freshness.usable(0)
    freshness.fetched(1000, None)
    assert freshness.usable(4600)
    assert not freshness.usable(4601)


def test_an_unknown_id_causes_a_fetch_at_once_and_the_next_one_not_before_30_s() -> None:
    freshness = Freshness(3600)
    freshness.fetched(1000, None)
    assert freshness.ask(1001)
    freshness.fetched(1002, None)
    assert not any(freshness.ask(now) for now in range(1003, 1031))
    # What was asked for meanwhile is fetched as soon as it may be, whether or not it is asked for again.
    assert freshness.due == 1031
    assert freshness.ask(1031)


def test_after_a_failure_nobody_asks_for_30_s() -> None:
    freshness = Freshness(3600)
    freshness.fetched(1000, None)
    freshness.failed(1300)
    assert freshness.due == 1330
    assert not freshness.ask(1329)
    assert freshness.due == 1330
    assert freshness.ask(1330)


def test_where_nothing_counts_the_first_attempts_follow_sooner() -> None:
    freshness = Freshness(3600)
    now, pauses = 0.0, []
    for _ in range(7):
        freshness.failed(now)
        assert not freshness.ask(now + 0.5)
        pauses.append(freshness.due - now)
        now = freshness.due
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
