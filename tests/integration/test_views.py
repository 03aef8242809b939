"""What SQL users read says the same as the numbers themselves."""

import statistics

import psycopg
import pytest

from tests.aggregated import DAY, put_now, run, steady
from tests.servers import Database


def reading(database: Database) -> psycopg.Connection:
    """A connection as Grafana has it."""
    own = {name.removeprefix("DB_").lower(): value for name, value in database.environment("readonly").items()}
    return psycopg.connect(
        host=own["host"], port=own["port"], dbname=own["name"], user=own["user"], password=own["password"]
    )


def test_statistics_are_those_of_the_readings(database: Database) -> None:
    put_now(database, steady(2, range(120)))
    run(database)
    put_now(database, [("dev-1", DAY + 30.5, {"a": -7.0})])
    run(database)
    with reading(database) as connection:
        by_level = {
            (level, device, bucket.timestamp()): row
            for level, bucket, device, *row in connection.execute(
                "SELECT level, bucket, device_id, count, min, max, avg, stddev, late FROM statistics WHERE metric = 'a'"
            )
        }
        fleet = connection.execute(
            "SELECT count, min, max, avg, late FROM fleet_statistics WHERE level = 3600 AND metric = 'a'"
        ).fetchone()
    first = [1 + second / 7 for second in range(60)] + [-7.0]
    assert by_level[60, "dev-1", DAY] == [
        61, -7.0, pytest.approx(max(first)), pytest.approx(statistics.mean(first)),
        pytest.approx(statistics.stdev(first)), 1,
    ]  # fmt: skip
    everything = [device + second / 7 for device in range(2) for second in range(120)] + [-7.0]
    assert by_level[3600, "dev-0", DAY][0] == 120
    assert fleet == (241, -7.0, pytest.approx(max(everything)), pytest.approx(statistics.mean(everything)), 1)


def test_numbers_that_a_double_hardly_holds_are_no_error(database: Database) -> None:
    """A sum that overflows leaves the average, and a spread that does is null."""
    put_now(database, [("dev-1", DAY, {"a": 1.7e308}), ("dev-1", DAY + 1, {"a": -1.7e308})])
    put_now(database, [("dev-2", DAY + second, {"a": 1.7e308}) for second in range(2)])
    put_now(database, [("dev-3", DAY, {"a": 5.0})])
    run(database)
    with reading(database) as connection:
        rows = {
            device: (average, stddev)
            for device, average, stddev in connection.execute(
                "SELECT device_id, avg, stddev FROM statistics WHERE level = 60"
            )
        }
    assert rows["dev-1"] == (0.0, None)
    assert rows["dev-2"] == (pytest.approx(1.7e308), 0.0)
    assert rows["dev-3"] == (5.0, None)


def test_the_latest_event_is_found_in_what_is_stored_and_in_what_came_since(database: Database) -> None:
    put_now(database, steady(2, range(120)))
    run(database)
    with database.connect() as connection:
        until = connection.execute(
            "SELECT extract(epoch FROM until)::float8 FROM materialized WHERE level = 60"
        ).fetchall()[0][0]
    put_now(database, [("dev-1", until + 1, {"a": 1.0}), ("dev-1", until + 2, {"c": 2.0})])
    with reading(database) as connection:
        rows = connection.execute(
            "SELECT device_id, extract(epoch FROM ts)::float8, metrics, values FROM latest_events ORDER BY 1"
        ).fetchall()
    assert rows == [
        ("dev-0", DAY + 119.0, ["a", "b"], [119 / 7, 1013.0]),
        ("dev-1", until + 2, ["c"], [2.0]),
    ]
