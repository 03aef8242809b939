"""The aggregator, with three workers, is killed, frozen or cut off at exact spots, with a load running: the next run
ends in the same state.

The same state: byte for byte the statistics that a run from scratch makes of the same events, and what plain Python
recomputes of them.

The test of the test: with the isolation level down to READ COMMITTED (tests/integration/test_aggregation.py) a late
event is lost; with `backlog_store.take` in a transaction of its own, a kill at aggregation.repair.before_write loses
late events here.
"""

import itertools
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests import servers
from tests.aggregated import DAY, DAY_S, fingerprint, from_scratch, put_now, rows, run, steady, verified
from tests.faults.postgres import Server
from tests.pipeline import running, wait_for
from tests.servers import Database

CLOSED = [
    "aggregation.after_watermarks=kill",
    "aggregation.before_write=kill@3",
    "aggregation.before_commit=kill",
    "aggregation.before_commit=kill@7",
    "aggregation.after_commit=kill@2",
    "aggregation.before_until=kill@2",
]
LATE = [
    "aggregation.repair.before_write=kill",
    "aggregation.repair.before_commit=kill@3",
    "aggregation.repair.after_commit=kill@2",
]


@contextmanager
def load(database: Database) -> Iterator[None]:
    """Late events for buckets that are closed, from another thread, for the length of the block."""
    stop = threading.Event()

    def work() -> None:
        for number in itertools.count():
            put_now(
                database, [(f"dev-{number % 7}", DAY + number % 300 + 0.001 * (1 + number // 300), {"a": number / 3})]
            )
            if stop.is_set():
                return

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize("spot", CLOSED)
def test_killed_while_closed_buckets_are_stored(database: Database, spot: str) -> None:
    put_now(database, steady(100, range(0, 300, 10)))
    killed_and_resumed(database, spot)


@pytest.mark.parametrize("spot", LATE)
def test_killed_while_late_events_are_worked_in(database: Database, spot: str) -> None:
    put_now(database, steady(20, range(0, 300, 10)))
    run(database)
    killed_and_resumed(database, spot)


def killed_and_resumed(database: Database, spot: str) -> None:
    service = environment(database)
    with load(database):
        with running("aggregation_service", service, {"FAILPOINTS": spot}) as victim:
            assert victim.wait(60) == -signal.SIGKILL
        before = worked_in(database)
        with running("aggregation_service", service) as successor:
            wait_for(
                lambda: successor.status is not None or worked_in(database) > before, "late data is worked in again"
            )
            successor.send(signal.SIGTERM)
            assert successor.wait(15) == 0, successor.output()
    same_as_from_scratch(database)


@pytest.mark.parametrize("spot", ["aggregation.before_commit=kill@5", "aggregation.repair.before_commit=kill@2"])
def test_of_two_with_workers_one_is_killed_and_the_other_takes_over(database: Database, spot: str) -> None:
    put_now(database, steady(60, range(0, 300, 10)))
    service = environment(database)
    with load(database), running("aggregation_service", service, {"FAILPOINTS": spot}) as victim:
        wait_for(lambda: victim.status is not None or bool(holders(database)), "it has the turn")
        with running("aggregation_service", service) as other:
            assert victim.wait(60) == -signal.SIGKILL
            before = worked_in(database)
            wait_for(lambda: other.status is not None or worked_in(database) > before, "the other works late data in")
            other.send(signal.SIGTERM)
            assert other.wait(15) == 0, other.output()
    same_as_from_scratch(database)


@pytest.mark.parametrize("spot", ["aggregation.before_commit=stop@4", "aggregation.repair.before_commit=stop@2"])
def test_frozen_with_workers_in_transactions_it_loses_its_turn_and_doubles_nothing(
    database: Database, spot: str
) -> None:
    """Its connection that has the turn breaks meanwhile. What its workers hold is committed before the other begins."""
    put_now(database, steady(60, range(0, 300, 10)))
    service = environment(database)
    with load(database), running("aggregation_service", service, {"FAILPOINTS": spot}) as victim:
        wait_for(lambda: victim.status is not None or victim.frozen, "it is frozen")
        [(pid,)] = holders(database)
        rows(database, f"SELECT pg_terminate_backend({pid})")
        with running("aggregation_service", service) as other:
            wait_for(lambda: other.status is not None or waits_for_workers(database), "the other waits for the workers")
            victim.send(signal.SIGCONT)
            before = worked_in(database)
            wait_for(lambda: other.status is not None or worked_in(database) > before, "late data is worked in")
            for service_ in (victim, other):
                service_.send(signal.SIGTERM)
                assert service_.wait(15) == 0, service_.output()
    same_as_from_scratch(database)


def test_postgres_stops_in_the_middle_of_slices(server: Server) -> None:
    with servers.database(server.values) as database:
        put_now(database, steady(60, range(0, 300, 10)))
        spot = {"FAILPOINTS": "aggregation.before_commit=stop@4"}
        with running("aggregation_service", environment(database), spot) as service:
            wait_for(lambda: service.status is not None or service.frozen, "it is in the middle")
            server.stop()
            service.send(signal.SIGCONT)
            wait_for(lambda: service.status is not None or "database_away" in service.output(), "it complains")
            server.start()
            with load(database):
                wait_for(lambda: service.status is not None or worked_in(database) > 0, "it goes on by itself")
            service.send(signal.SIGTERM)
            assert service.wait(15) == 0
        same_as_from_scratch(database)


def test_sigterm_ends_the_statements_of_all_workers(database: Database) -> None:
    put_now(database, steady(40, range(0, 600, 5)))
    with database.connect() as connection:  # each row that is stored takes a second
        connection.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$"
        )
        connection.execute("CREATE TRIGGER slow BEFORE INSERT ON stats FOR EACH ROW EXECUTE FUNCTION slow()")
    with running("aggregation_service", environment(database)) as service:
        wait_for(lambda: service.status is not None or sleeping(database) > 1, "two workers store rows")
        service.send(signal.SIGTERM)
        assert service.wait(15) == 0, service.output()
    wait_for(lambda: sleeping(database) == 0, "their statements ended")
    with database.connect() as connection:
        connection.execute("DROP TRIGGER slow ON stats")
    same_as_from_scratch(database)


def environment(database: Database) -> dict[str, str]:
    """Of a service that takes many small transactions."""
    return {
        **database.environment("aggregation"),
        "AGGREGATION_INTERVAL_SECONDS": "0.1",
        "AGGREGATION_CHUNK_READINGS": "1000",
        "AGGREGATION_WORKERS": "3",
    }


def same_as_from_scratch(database: Database) -> None:
    """After one more run, all is right, and the same bytes as if nothing had happened."""
    run(database)
    assert rows(database, "SELECT count(*) FROM dirty") == [(0,)]
    verified(database)
    state = fingerprint(database, before=DAY + DAY_S)
    from_scratch(database)
    assert fingerprint(database, before=DAY + DAY_S) == state


def holders(database: Database) -> list[tuple[int]]:
    """The backend that has the turn."""
    return rows(
        database,
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid::int8 ="
        " hashtext('plumbline.aggregation')::int8 & 4294967295"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )


def waits_for_workers(database: Database) -> bool:
    """Whether somebody waits to raise the epoch."""
    return bool(
        rows(
            database,
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND query LIKE 'UPDATE aggregation_turn%'",
        )
    )


def sleeping(database: Database) -> int:
    """Backends in pg_sleep."""
    [(count,)] = rows(
        database,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'",
    )
    return int(count)


def worked_in(database: Database) -> int:
    """Late readings that are in the statistics."""
    [(late,)] = rows(database, "SELECT coalesce(sum(late), 0)::int8 FROM stats")
    return int(late)
