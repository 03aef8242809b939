"""Postgres answers, but not with what ingestion asked for: locks, deadlocks, read-only, full, busy."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.aggregated import DAY
from tests.faults import postgres
from tests.faults.member import Member, member
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.pipeline import wait_for

PARTITION = time.strftime("events_%Y%m%d", time.gmtime(DAY))
LONGER_THAN_A_LOCK_TIMEOUT_S = 7.0
# What a retry mends, one of each class: none of these is ever a reason for a dead letter.
PASSING = {
    "08006": "connection failure",
    "25006": "read only",
    "40001": "serialization failure",
    "40P01": "deadlock",
    "53100": "disk full",
    "53200": "out of memory",
    "53300": "too many connections",
    "55006": "object in use",
    "55P03": "lock not available",
    "57014": "cancelled",
    "57P01": "shutting down",
    "57P03": "starting up",
    "58030": "input/output error",
}


def locked(scene: Scene, table: str, seconds: float) -> Verdict:
    """By another session, for longer than ingestion's lock_timeout."""
    with scene.load(rate=1_000), member(scene) as one:
        scene.flows()
        scene.strike()
        with scene.database.connect(autocommit=False) as connection:
            connection.execute("SET lock_timeout = '10 s'")
            connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
            until = time.monotonic() + seconds
            one.complains()
            while time.monotonic() < until and one.service.status is None:
                time.sleep(0.2)
        scene.healed()
        one.met("lock timeout")
        return one.verdict(f"{table} locked for {seconds:.0f} s")


def deadlocked(scene: Scene, times: int) -> Verdict:
    """Another session takes the offsets' rows first and then wants the events; ingestion notices first."""
    with scene.load(rate=1_000), member(scene) as one:
        for _ in range(times):
            scene.flows()
            scene.strike()
            with scene.database.connect(autocommit=False) as connection:
                connection.execute("SET deadlock_timeout = '1 min'")
                connection.execute("SELECT FROM kafka_offsets FOR UPDATE")
                wait_for(lambda: waits(scene), "ingestion waits for the offsets")
                connection.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            scene.healed()
            scene.recovered()
        one.met("deadlock detected")
        return one.verdict("deadlock")


def waits(scene: Scene) -> bool:
    """Whether ingestion's batch waits for a lock."""
    with scene.database.connect() as connection:
        found = connection.execute(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND application_name = 'plumbline-ingestion' AND query LIKE '%UPDATE kafka_offsets%next_offset = s.stop%'"
        )
        return found.rowcount > 0


def read_only(scene: Scene, seconds: float) -> Verdict:
    """As a server is for a while that was the primary, or isn't yet."""
    name = scene.database.name
    with altered(scene, f"DATABASE {name} SET default_transaction_read_only = on", seconds) as one:
        one.met("read-only transaction")
        return one.verdict(f"read-only for {seconds:.0f} s")


def too_many(scene: Scene, seconds: float) -> Verdict:
    """Other clients have taken every place."""
    with altered(scene, f"DATABASE {scene.database.name} CONNECTION LIMIT 0", seconds) as one:
        one.met("too many connections")
        return one.verdict(f"too many connections for {seconds:.0f} s")


@contextmanager
def altered(scene: Scene, what: str, seconds: float) -> Iterator[Member]:
    """Ingestion's sessions are ended, and come back to this."""
    back = what.replace("read_only = on", "read_only = off").replace("LIMIT 0", "LIMIT -1")
    with scene.load(rate=1_000), member(scene) as one:
        scene.flows()
        scene.strike()
        with writing(scene) as connection:
            connection.execute(f"ALTER {what}".encode())
            postgres.sessions(connection, "pg_terminate_backend")
            one.complains()
            until = time.monotonic() + seconds
            while time.monotonic() < until and one.service.status is None:
                time.sleep(0.2)
            connection.execute(f"ALTER {back}".encode())
            postgres.sessions(connection, "pg_terminate_backend")
        scene.healed()
        yield one


@contextmanager
def writing(scene: Scene) -> Iterator[psycopg.Connection]:
    """A session of the owner's that stays able to write."""
    with scene.database.connect() as connection:
        connection.execute("SET default_transaction_read_only = off")
        yield connection


def refused(scene: Scene, states: list[str], at: str) -> Verdict:
    """Each of these in turn, for as long as three attempts take, raised by a trigger on the table."""
    with scene.database.connect() as connection:
        connection.execute("CREATE TABLE refusal (state text)")
        connection.execute("GRANT SELECT ON refusal TO PUBLIC")
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE s text; BEGIN"
            " SELECT state INTO s FROM refusal; IF s IS NOT NULL THEN"
            " RAISE EXCEPTION 'refused with %', s USING ERRCODE = s; END IF; RETURN NULL; END $$"
        )
        connection.execute(f"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {at} EXECUTE FUNCTION refuse()".encode())
    with scene.load(rate=1_000), member(scene) as one:
        for state in states:
            scene.flows(200)
            scene.strike()
            with scene.database.connect() as connection:
                connection.execute("INSERT INTO refusal VALUES (%s)", [state])
                scene.awaits(attempted(one, state, 3), f"three attempts with {state}")
                connection.execute("DELETE FROM refusal")
            scene.healed()
            if one.service.status is not None:
                break
            scene.recovered()
        return one.verdict(f"{len(states)} passing errors at {at}")


def attempted(one: Member, state: str, times: int) -> Callable[[], bool]:
    return lambda: one.service.status is not None or one.service.output().count(f"refused with {state}") >= times


@pytest.mark.parametrize(
    "table",
    ["events", *(pytest.param(table, marks=pytest.mark.long) for table in (PARTITION, "kafka_offsets", "watermarks"))],
)
def test_a_table_is_locked(scene: Scene, table: str, long: bool) -> None:
    locked(scene, table, 60 if long else LONGER_THAN_A_LOCK_TIMEOUT_S).survived()


def test_a_deadlock(scene: Scene) -> None:
    deadlocked(scene, 2).survived()


@pytest.mark.long
def test_a_read_only_server(scene: Scene, long: bool) -> None:
    read_only(scene, 60 if long else 3).survived()


@pytest.mark.long
def test_too_many_connections(scene: Scene, long: bool) -> None:
    too_many(scene, 60 if long else 3).survived()


@pytest.mark.parametrize("at", ["events", pytest.param("kafka_offsets", marks=pytest.mark.long)])
def test_every_error_that_passes(scene: Scene, at: str) -> None:
    refused(scene, list(PASSING), at).survived()


@pytest.mark.long
def test_control_passing_errors_are_taken_for_bad_events(scene: Scene) -> None:
    """Of each class: its error alone makes dead letters of good events, or ends the service."""
    scene.without = "passing_errors"
    assert refused(scene, ["53100"], "events").doubled > 0
