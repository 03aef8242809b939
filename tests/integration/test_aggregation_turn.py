"""Whose turn it is: work of one that lost its turn is committed before the next begins, or not at all."""

import threading

import psycopg
import pytest

from aggregation_service.store import TurnLost
from tests.aggregated import at, put_now, rows, run, scheduler, steady, verified
from tests.pipeline import wait_for
from tests.servers import Database


def test_whoever_takes_the_turn_waits_for_workers_of_the_turn_before(database: Database) -> None:
    put_now(database, steady(10, range(300)))
    second, _ = scheduler(database)
    taking = threading.Thread(target=second.run_once, args=[threading.Event()])

    def connection_breaks() -> None:
        assert store._connection is not None
        rows(database, f"SELECT pg_terminate_backend({store._connection.info.backend_pid})")
        wait_for(lambda: _free(database), "the turn is free")
        taking.start()
        wait_for(lambda: _waits(database, "UPDATE aggregation_turn"), "the other waits for this transaction")

    first, store = scheduler(
        database, at("aggregation.before_commit", connection_breaks), aggregation_chunk_readings=1_000
    )
    with pytest.raises((psycopg.Error, TurnLost)):
        first.run_once(threading.Event())
    first.close()
    taking.join(30)
    assert not taking.is_alive()
    second.close()
    assert verified(database) == {60: 10 * 2 * 5, 3_600: 20, 86_400: 20}


@pytest.mark.parametrize("spot", ["aggregation.after_commit", "aggregation.repair.after_commit"])
def test_a_worker_whose_turn_was_lost_writes_nothing_more(database: Database, spot: str) -> None:
    if "repair" in spot:
        run(database)
    put_now(database, steady(10, range(300)))
    second, other = scheduler(database)
    written: list[object] = []

    def another_takes_over() -> None:
        assert store._connection is not None
        rows(database, f"SELECT pg_terminate_backend({store._connection.info.backend_pid})")
        wait_for(lambda: other.take_turn() is not None, "the turn is the other's")
        written.extend(rows(database, "SELECT count(*) FROM stats"))

    first, store = scheduler(
        database, at(spot, another_takes_over), aggregation_chunk_readings=1_000, aggregation_workers=1
    )
    with pytest.raises(TurnLost):
        first.run_once(threading.Event())
    first.close()
    assert 0 < written[0][0] < 10 * 2 * 7  # type: ignore[index]
    assert rows(database, "SELECT count(*) FROM stats") == written
    assert second.run_once(threading.Event())
    second.close()
    verified(database)


def test_the_turn_is_kept_while_a_slice_takes_long(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection that has it is idle meanwhile, and the server ends those of frozen processes."""
    put_now(database, steady(1, range(60)))
    with database.connect() as connection:
        connection.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$"
        )
        connection.execute("CREATE TRIGGER slow BEFORE INSERT ON stats FOR EACH ROW EXECUTE FUNCTION slow()")
    monkeypatch.setattr("aggregation_service.team._ALIVE_S", 0.1)
    runner, store = scheduler(database)
    store._idle_ms = 2_000
    assert runner.run_once(threading.Event())
    runner.close()
    verified(database)


def test_an_error_of_one_worker_ends_the_run_and_the_next_one_finishes_it(database: Database) -> None:
    put_now(database, steady(20, range(300)))

    def worker_is_cut_off() -> None:
        rows(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%SAVEPOINT%' LIMIT 1")

    runner, _ = scheduler(
        database, at("aggregation.before_commit", worker_is_cut_off), aggregation_chunk_readings=1_000
    )
    with pytest.raises(psycopg.OperationalError):
        runner.run_once(threading.Event())
    runner.close()
    run(database)
    verified(database)


def _free(database: Database) -> bool:
    return not rows(
        database,
        "SELECT FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )


def _waits(database: Database, query: str) -> bool:
    return bool(
        rows(
            database,
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            f" AND query LIKE '%{query}%' AND pid <> pg_backend_pid()",
        )
    )
