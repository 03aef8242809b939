"""The aggregation service as a process."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.aggregated import put_now, rows, scheduler, steady, verified
from tests.pipeline import running, wait_for
from tests.servers import Database


def environment(database: Database, **settings: object) -> dict[str, str]:
    own = {"AGGREGATION_INTERVAL_SECONDS": "0.1", **{name: str(value) for name, value in settings.items()}}
    return {**database.environment("aggregation"), **own}


def once(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aggregation_service", *(arguments or ("--once",))]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)


def stored(database: Database) -> int:
    """Events that are in the statistics of days."""
    [(count,)] = rows(database, "SELECT coalesce(sum(count), 0)::int8 FROM stats WHERE level = 86400")
    return int(count) // 2  # two metrics an event


def test_it_works_data_in_until_sigterm_and_leaves_at_once(database: Database) -> None:
    put_now(database, steady(2, range(100)))
    with running("aggregation_service", environment(database, AGGREGATION_INTERVAL_SECONDS=600)) as service:
        wait_for(lambda: service.status is not None or stored(database) == 200, "statistics are stored")
        service.send(signal.SIGTERM)
        started = time.monotonic()
        assert service.wait(15) == 0, service.output()
        assert time.monotonic() - started < 5  # it sleeps for minutes, but wakes
    verified(database)


def test_it_goes_on_by_itself_when_its_connections_are_ended(database: Database) -> None:
    with running("aggregation_service", environment(database)) as service:
        for number in range(3):
            put_now(database, steady(1, range(10 * number, 10 * number + 10)))
            wait_for(lambda: service.status is not None or stored(database) == 10 * (number + 1), "it is worked in")  # noqa: B023
            rows(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                 " WHERE usename = 'plumbline_aggregation' AND datname = current_database()")  # fmt: skip
        service.send(signal.SIGTERM)
        assert service.wait(15) == 0
    assert "database_away" in service.output()
    verified(database)


def test_two_processes_do_the_work_once_and_the_second_takes_over(database: Database) -> None:
    put_now(database, steady(5, range(100)))
    with (
        running("aggregation_service", environment(database)) as one,
        running("aggregation_service", environment(database)) as other,
    ):
        wait_for(lambda: stored(database) == 500, "statistics are stored")
        one.send(signal.SIGKILL)
        put_now(database, steady(5, range(100, 200)))
        wait_for(lambda: stored(database) == 1_000, "the other took over")
        assert other.status is None
    verified(database)
    assert rows(database, "SELECT max(late) FROM stats WHERE level = 86400") == [(100,)]


def test_one_run_on_request(database: Database) -> None:
    put_now(database, steady(1, range(60)))
    outcome = once(environment(database))
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert stored(database) == 60
    _, store = scheduler(database)
    assert store.take_turn()
    outcome = once(environment(database))
    assert (outcome.returncode, outcome.stderr) == (
        69, "another aggregator has the turn → stop it first, or leave the work to it\n"
    )  # fmt: skip
    store.close()


@pytest.mark.parametrize(
    ("settings", "status", "message"),
    [
        ({"AGGREGATION_LEVELS": "1m,7m"}, 78, "AGGREGATION_LEVELS: "),
        ({"AGGREGATION_INTERVAL_SECONDS": "often"}, 78, "AGGREGATION_INTERVAL_SECONDS: "),
        ({"DB_PASSWORD": "wrong"}, 69, "can't be used as plumbline_aggregation"),
        ({"DB_PORT": "1", "STARTUP_TIMEOUT_SECONDS": "1"}, 69, "Postgres at 127.0.0.1:1/"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    database: Database, settings: dict[str, str], status: int, message: str
) -> None:
    outcome = once({**environment(database), **settings})
    assert outcome.returncode == status
    assert message in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert "→" in outcome.stderr


def test_an_old_schema_stops_it_with_the_command_to_run(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("DELETE FROM schema_migrations WHERE name = '0007_statistics.sql'")
    outcome = once(environment(database), "--once")
    assert outcome.returncode == 1
    assert "lacks 0007_statistics.sql → run `python -m shared.migrations` as its owner\n" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_help_names_every_variable_and_an_example(database: Database) -> None:
    text = once({}, "--help").stdout
    assert all(
        name in text
        for name in (
            "AGGREGATION_LEVELS",
            "AGGREGATION_WORKERS",
            "AGGREGATION_DELAY_SECONDS",
            "DB_HOST",
            "METRICS_PORT",
        )
    )
    assert "example: DB_HOST=localhost" in text
