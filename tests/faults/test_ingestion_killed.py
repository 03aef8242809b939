"""Ingestion dies at exact spots under load: every event is there once afterwards, and nothing else."""

import signal

import pytest

from tests.pipeline import Service, assert_accounts, caught_up, event, ingestion, produce, running, wait_for
from tests.servers import Database, Topics

EVENTS = 20_000
SPOTS = [
    "ingestion.after_copy",
    "ingestion.after_compare_and_set",
    "ingestion.before_commit",
    "ingestion.after_commit",
    "relay.before_publish",
    "relay.before_mark",
]


def load(topics: Topics) -> None:
    produce(
        topics,
        [event(f"d{i % 97}", i // 97, m=i, n=1) for i in range(EVENTS)],
        [f"d{i % 97}".encode() for i in range(EVENTS)],
    )


def finish(topics: Topics, database: Database) -> None:
    """A successor takes over and ends the work."""
    with running("ingestion_service", ingestion(topics, database)) as service:
        wait_for(lambda: service.status is not None or caught_up(topics, database), "caught up")
        service.send(signal.SIGTERM)
        assert service.wait(15) == 0
    assert assert_accounts(database) == {"persisted": EVENTS, "duplicates": 0, "conflicts": 0, "dead_letters": 0}
    with database.connect() as connection:
        (total,) = connection.execute("SELECT sum(value) FROM readings WHERE metric = 'm'").fetchone() or (None,)
    assert total == sum(range(EVENTS))


@pytest.mark.parametrize("spot", SPOTS)
def test_killed_at_an_exact_spot(spot: str, topics: Topics, database: Database) -> None:
    load(topics)
    settings = ingestion(topics, database, FAILPOINTS=f"{spot}=kill@2", BATCH_MAX_EVENTS=1_000, BATCH_LINGER_MS=10)
    with running("ingestion_service", settings) as service:
        assert service.wait(60) == -signal.SIGKILL
    assert not caught_up(topics, database), "it died after the work was done: this tests nothing"
    finish(topics, database)


def test_killed_again_and_again_while_events_arrive(topics: Topics, database: Database) -> None:
    load(topics)
    for _ in range(3):
        with running("ingestion_service", ingestion(topics, database, BATCH_MAX_EVENTS=200)) as service:
            wait_for(lambda: moved(database, topics), "some batches committed")
            service.send(signal.SIGKILL)
            assert service.wait() == -signal.SIGKILL
    finish(topics, database)


def moved(database: Database, topics: Topics, least: int = 500) -> bool:
    """Whether so many events were committed since the last claim of each partition."""
    with database.connect() as connection:
        row = connection.execute(
            "SELECT sum(events_total) >= %s * max(owner_epoch) FROM kafka_offsets", [least]
        ).fetchone()
    return bool(row and row[0])


def test_a_process_that_was_frozen_past_its_session_writes_nothing(topics: Topics, database: Database) -> None:
    load(topics)
    settings = ingestion(topics, database, FAILPOINTS="ingestion.after_copy=stop@2", BATCH_MAX_EVENTS=1_000)
    with running("ingestion_service", settings) as zombie:
        wait_for(lambda: frozen(zombie), "the first one froze inside its transaction")
        finish(topics, database)
        zombie.send(signal.SIGCONT)
        zombie.send(signal.SIGTERM)
        assert zombie.wait(30) == 0
    assert_accounts(database)
    assert caught_up(topics, database)


def frozen(service: Service) -> bool:
    with open(f"/proc/{service.pid}/stat") as stat:  # noqa: PTH123 no file of ours
        return stat.read().rsplit(")", 1)[1].split()[0] == "T"
