"""SIGTERM while Postgres is away, and a COMMIT that is under way when its connection is cut."""

import signal
import time

import pytest

from tests.pipeline import assert_accounts, caught_up, event, ingestion, produce, running, wait_for
from tests.proxy import Proxy, proxied
from tests.servers import Database, Topics

RECORDS = 5_000


def load(topics: Topics, first: int = 0) -> None:
    numbers = range(first, first + RECORDS)
    produce(topics, [event(f"d{i % 97}", i // 97, m=i) for i in numbers], [f"d{i % 97}".encode() for i in numbers])


def through(proxy: Proxy, topics: Topics, database: Database) -> dict[str, str]:
    return ingestion(
        topics, database, DB_HOST="127.0.0.1", DB_PORT=proxy.port, BATCH_MAX_EVENTS=500, BATCH_LINGER_MS=10
    )


def stored(database: Database) -> int:
    with database.connect() as connection:
        row = connection.execute("SELECT count(*) FROM events").fetchone()
    return int(row[0]) if row else 0


@pytest.fixture
def address(database: Database) -> tuple[str, int]:
    environment = database.environment()
    return environment["DB_HOST"], int(environment["DB_PORT"])


@pytest.mark.parametrize("fault", ["cut", "freeze"])
def test_sigterm_meanwhile_ends_it_in_time(
    fault: str, topics: Topics, database: Database, address: tuple[str, int]
) -> None:
    load(topics)
    with proxied(*address) as proxy, running("ingestion_service", through(proxy, topics, database)) as service:
        wait_for(lambda: stored(database) == RECORDS, "it works")
        getattr(proxy, fault)()
        load(topics, RECORDS)
        time.sleep(2)  # its queue fills up, and it pauses
        service.send(signal.SIGTERM)
        assert service.wait(15) == 0
    with running("ingestion_service", ingestion(topics, database)):
        wait_for(lambda: caught_up(topics, database), "a successor ends the work")
    expected = {"persisted": 2 * RECORDS, "duplicates": 0, "conflicts": 0, "dead_letters": 0}
    assert assert_accounts(database) == expected


def test_a_rebalance_while_it_waits(topics: Topics, database: Database, address: tuple[str, int]) -> None:
    """Partitions that were paused when the group took them away come back to be read: the client keeps them paused."""
    load(topics)
    with proxied(*address) as proxy, running("ingestion_service", through(proxy, topics, database)) as service:
        wait_for(lambda: stored(database) == RECORDS, "it works")
        proxy.cut()
        load(topics, RECORDS)
        wait_for(lambda: "reading_paused " in service.output(), "it waits")
        before = service.output().count("partitions_assigned")
        with running("ingestion_service", ingestion(topics, database)) as guest:
            wait_for(lambda: "partitions_assigned" in guest.output(), "a guest has a share")
            wait_for(lambda: service.output().count("partitions_assigned") > before, "it has the rest")
        proxy.restore()
        wait_for(lambda: caught_up(topics, database), "it reads on alone")
        assert service.status is None
    expected = {"persisted": 2 * RECORDS, "duplicates": 0, "conflicts": 0, "dead_letters": 0}
    assert assert_accounts(database) == expected


def test_a_commit_whose_reply_is_cut_off_counts_once(
    topics: Topics, database: Database, address: tuple[str, int]
) -> None:
    """The COMMIT takes two seconds, and in the first of them the connection is cut."""
    with database.connect() as connection:
        connection.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$"
        )
        connection.execute(
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION slow()"
        )
    load(topics)
    with proxied(*address) as proxy, running("ingestion_service", through(proxy, topics, database)) as service:
        wait_for(lambda: committing(database), "a COMMIT is under way")
        proxy.cut()
        proxy.restore()
        with database.connect() as connection:
            connection.execute("ALTER TABLE outbox DISABLE TRIGGER slow")
        wait_for(lambda: service.status is not None or caught_up(topics, database), "it went on by itself")
        assert service.status is None
    expected = {"persisted": RECORDS, "duplicates": 0, "conflicts": 0, "dead_letters": 0}
    assert assert_accounts(database) == expected


def committing(database: Database) -> bool:
    with database.connect() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'COMMIT'"
            " AND wait_event = 'PgSleep'"
        ).fetchone()
    return bool(row and row[0])
