"""Ingestion dies at exact spots under load: every event is there once afterwards, acknowledged, and nothing else."""

import json
import signal

import pytest

from shared.topics import ack_topic
from tests.pipeline import (
    Service,
    assert_accounts,
    caught_up,
    consume_all,
    event,
    high_watermarks,
    ingestion,
    produce,
    running,
    wait_for,
)
from tests.servers import Database, Topics

RECORDS = 20_000
POISON_EVERY = 7
GOOD = [i for i in range(RECORDS) if i % POISON_EVERY]
SPOTS = [
    "ingestion.after_copy",
    "ingestion.after_compare_and_set",
    "ingestion.before_commit",
    "ingestion.after_commit",
    "relay.before_publish",
    "relay.before_mark",
    "relay.before_mark_dead_letters",
]


def load(topics: Topics) -> None:
    """Good events, and between them what can't be taken."""
    good = set(GOOD)
    values = [event(f"d{i % 97}", i // 97, m=i, n=1) if i in good else b"poison" for i in range(RECORDS)]
    produce(topics, values, [f"d{i % 97}".encode() for i in range(RECORDS)])


def finish(topics: Topics, database: Database) -> None:
    """A successor takes over and ends the work: all is stored once, counted, and told at least once."""
    with running("ingestion_service", ingestion(topics, database)) as service:
        wait_for(lambda: service.status is not None or caught_up(topics, database), "caught up")
        service.send(signal.SIGTERM)
        assert service.wait(15) == 0
    dead = RECORDS - len(GOOD)
    expected = {"persisted": len(GOOD), "duplicates": 0, "conflicts": 0, "dead_letters": dead}
    assert assert_accounts(database) == expected
    with database.connect() as connection:
        (total,) = connection.execute("SELECT sum(value) FROM readings WHERE metric = 'm'").fetchone() or (None,)
        unmarked = connection.execute(
            "SELECT (SELECT count(*) FROM dead_letters WHERE published_at IS NULL),"
            " (SELECT count(*) FROM kafka_offsets WHERE acked_offset <> next_offset)"
        ).fetchone()
    assert total == sum(GOOD)
    assert unmarked == (0, 0)
    assert_told(topics, dead)


def assert_told(topics: Topics, dead: int) -> None:
    """Success acks cover every offset, each range always with the same words; every dead letter is on its topic."""
    ranges: dict[tuple[int, int], str] = {}
    for _, value, _ in consume_all(topics, ack_topic(topics.settings, "success"), 1):
        ack = json.loads(value or b"")
        text = json.dumps(ack, sort_keys=True)
        assert ranges.setdefault((ack["partition"], ack["first_offset"]), text) == text
    for partition, end in high_watermarks(topics).items():
        acks = [json.loads(text) for (p, _), text in sorted(ranges.items()) if p == partition]
        covered = [offset for ack in acks for offset in range(ack["first_offset"], ack["last_offset"] + 1)]
        assert covered == list(range(end))
    letters = consume_all(topics, topics.settings.topic_dead_letters, dead)
    names = ("plumbline.error.partition", "plumbline.error.offset")
    assert len({tuple(headers[name] for name in names) for _, _, headers in letters}) == dead
    assert {value for _, value, _ in letters} == {b"poison"}


@pytest.mark.parametrize("spot", SPOTS)
def test_killed_at_an_exact_spot(spot: str, topics: Topics, database: Database) -> None:
    load(topics)
    settings = ingestion(topics, database, FAILPOINTS=f"{spot}=kill@2", BATCH_MAX_EVENTS=1_000, BATCH_LINGER_MS=10)
    with running("ingestion_service", settings) as service:
        assert service.wait(60) == -signal.SIGKILL
    with database.connect() as connection:
        told = connection.execute("SELECT bool_and(acked_offset = next_offset) FROM kafka_offsets").fetchone()
    assert not (caught_up(topics, database) and told == (True,)), "it died after the work was done: this tests nothing"
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
