"""Verifying stored statistics on the real Postgres."""

from typing import Any

import pytest

from ops.verify.commands import Asked
from ops.verify.commands import run as verified
from tests.aggregated import DAY, DAY_S, put_now, run, steady
from tests.operator import Operator
from tests.servers import Database

WHOLE, EVERYTHING = Asked(days=7), Asked(sample=1_000_000, seed=1)


def report(database: Database, asked: Asked) -> dict[str, Any]:
    return verified(database.environment(), asked)


@pytest.fixture
def aggregated(database: Database) -> Database:
    """Three devices, two metrics, a bit more than an hour, all of it closed and stored."""
    put_now(database, steady(3, range(100, 4_000)))
    run(database)
    return database


@pytest.mark.parametrize("asked", [WHOLE, EVERYTHING])
def test_what_the_aggregator_stored_is_as_recomputed(aggregated: Database, asked: Asked) -> None:
    found = report(aggregated, asked)
    assert (found["ok"], found["differences"], found["mend"]) == (True, [], None)
    assert found["compared"] == {"1m": 3 * 2 * 66, "1h": 3 * 2 * 2, "1d": 3 * 2}


@pytest.mark.parametrize(
    ("change", "level", "problem"),
    [
        ("UPDATE stats SET count = count + 1 WHERE level = 60", "1m", "count is 61"),
        ("UPDATE stats SET max = max + 1 WHERE level = 3600", "1h", "max is"),
        ("UPDATE stats SET sum = sum + 1 WHERE level = 86400", "1d", "sum is"),
        ("UPDATE stats SET deviation = deviation * 1.0001 WHERE level = 60", "1m", "stddev is"),
        ("UPDATE stats SET late = count + 1 WHERE level = 3600", "1h", "late is"),
        ("DELETE FROM stats WHERE level = 60", "1m", "there is no stored row"),
        ("UPDATE stats SET device = 4 WHERE device = 3 AND level = 60", "1m", "there is no stored row"),
    ],
)
def test_a_row_that_is_off_is_named(aggregated: Database, change: str, level: str, problem: str) -> None:
    with aggregated.connect() as connection:
        connection.execute(change.encode())
    found = report(aggregated, WHOLE)
    assert not found["ok"]
    assert {difference["level"] for difference in found["differences"]} == {level}
    assert {difference["device_id"] for difference in found["differences"]} >= {"dev-2"}
    assert any(problem in difference["problem"] for difference in found["differences"])
    assert f"--level {level}" in found["mend"]


def test_a_single_wrong_row_is_found_by_a_sample_of_everything(aggregated: Database) -> None:
    with aggregated.connect() as connection:
        connection.execute(
            "UPDATE stats SET sum = sum * 1.000001 WHERE level = 60 AND device = 2 AND metric = 1"
            " AND bucket = to_timestamp(%s)",
            [DAY + 1_200],
        )
    found = report(aggregated, EVERYTHING)["differences"]
    assert {difference["start"].timestamp() for difference in found} == {DAY + 1_200}


def test_an_event_that_vanished_after_it_was_counted_is_noticed(aggregated: Database) -> None:
    with aggregated.connect() as connection:
        connection.execute("DELETE FROM events WHERE device = 1 AND extract(second FROM ts) = 0")
    assert not report(aggregated, WHOLE)["ok"]


@pytest.mark.parametrize("asked", [WHOLE, EVERYTHING])
def test_a_bucket_that_waits_for_late_events_is_not_judged_yet_but_counted(aggregated: Database, asked: Asked) -> None:
    put_now(aggregated, [("dev-1", steady(1, range(200, 201))[0][1] + 0.5, {"a": 7.0})])
    found = report(aggregated, asked)
    assert found["ok"]
    assert found["compared"] == {"1m": 3 * 2 * 66 - 2, "1h": 3 * 2 * 2 - 2, "1d": 3 * 2 - 2}
    assert found["skipped"] == {"1m": 2, "1h": 2, "1d": 2}


def test_a_sample_spreads_over_levels_and_history_and_is_repeated_by_its_seed(database: Database) -> None:
    for age in (0, 1, 30):
        put_now(database, steady(5, range(0, 7_200, 20), day=DAY - age * DAY_S))
    run(database)
    first = report(database, Asked(sample=60))
    assert first["groups"] == 60
    assert first["compared"] == {"1m": 2 * 23, "1h": 2 * 22, "1d": 2 * 15}  # a third each, and what 15 days leave
    with database.connect() as connection:
        connection.execute("UPDATE stats SET min = min - 1")
    again = [report(database, Asked(sample=60, seed=first["seed"])) for _ in range(2)]
    assert again[0] == again[1]
    assert again[0]["compared"] == first["compared"]
    assert len({difference["start"].date() for difference in again[0]["differences"]}) == 3


def test_a_range_is_judged_and_no_more(aggregated: Database) -> None:
    with aggregated.connect() as connection:
        connection.execute("UPDATE stats SET max = max + 1 WHERE level = 60")
    start, end = (DAY + 600) * 1_000_000, (DAY + 720) * 1_000_000
    found = report(aggregated, Asked(start=start, end=end))
    assert found["compared"] == {"1m": 3 * 2 * 2, "1h": 3 * 2, "1d": 3 * 2}
    wrong = [difference for difference in found["differences"] if difference["device_id"] is not None]
    assert len(wrong) == 3 * 2 * 2


def test_the_command_names_what_differs_and_what_mends_it(operator: Operator, aggregated: Database) -> None:
    assert operator.run("verify").exit_code == 0
    assert operator.run("verify", "--sample", "10").exit_code == 0
    with aggregated.connect() as connection:
        connection.execute("UPDATE stats SET count = 1 WHERE level = 3600 AND device = 1 AND metric = 1")
    found = operator.run("verify", "--days", "7")
    assert found.exit_code == 1
    assert "problem: 1h dev-0 a " in found.stdout
    assert "→ plumbline backfill --from " in found.stdout
    assert operator.run("verify", "--seed", "1").exit_code == 2
