"""Verifying stored statistics on the real Postgres."""

import pytest

from ops import verify
from tests.aggregated import put_now, run, steady
from tests.servers import Database


@pytest.fixture
def aggregated(database: Database) -> Database:
    """Three devices, two metrics, a bit more than an hour, all of it closed and stored."""
    put_now(database, steady(3, range(100, 4_000)))
    run(database)
    return database


def test_what_the_aggregator_stored_is_as_recomputed(aggregated: Database) -> None:
    report = verify.check(aggregated.environment(), days=7)
    assert report == {"ok": True, "differences": [], "compared": {60: 3 * 2 * 66, 3_600: 3 * 2 * 2, 86_400: 3 * 2}}


@pytest.mark.parametrize(
    ("change", "level", "problem"),
    [
        ("UPDATE stats SET count = count + 1 WHERE level = 60", 60, "count is 61"),
        ("UPDATE stats SET max = max + 1 WHERE level = 3600", 3_600, "max is"),
        ("UPDATE stats SET sum = sum + 1 WHERE level = 86400", 86_400, "sum is"),
        ("DELETE FROM stats WHERE level = 60", 60, "there is no stored row"),
    ],
)
def test_a_row_that_is_off_is_named(aggregated: Database, change: str, level: int, problem: str) -> None:
    with aggregated.connect() as connection:
        connection.execute(change)
    differences = verify.check(aggregated.environment(), days=7)["differences"]
    assert differences
    assert all(text.startswith(f"{level} s, dev-") for text in differences)
    assert any(problem in text for text in differences)


def test_an_event_that_vanished_after_it_was_counted_is_noticed(aggregated: Database) -> None:
    with aggregated.connect() as connection:
        connection.execute("DELETE FROM events WHERE device = 1 AND extract(second FROM ts) = 0")
    assert not verify.check(aggregated.environment(), days=7)["ok"]


def test_a_bucket_that_waits_for_late_events_is_not_judged_yet(aggregated: Database) -> None:
    put_now(aggregated, [("dev-1", steady(1, range(200, 201))[0][1] + 0.5, {"a": 7.0})])
    report = verify.check(aggregated.environment(), days=7)
    assert report["ok"]
    assert report["compared"] == {60: 3 * 2 * 66 - 2, 3_600: 3 * 2 * 2 - 2, 86_400: 3 * 2 - 2}
