"""Reconciling what ingestion counted with what Kafka and Postgres hold."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ops import broker, reconcile, store
from shared import kafka
from tests.operator import Operator
from tests.servers import Database, Topics

NOW = datetime(2025, 9, 9, 17, tzinfo=UTC)


@pytest.fixture
def values(database: Database, topics: Topics) -> dict[str, str]:
    """Three records in partition 0, and what an ingestion that took one, knew one and refused one would have left."""
    producer = kafka.producer(topics.settings)
    for number in range(3):
        producer.produce(topics.settings.topic_readings, value=b"%d" % number, partition=0)
    assert producer.flush(30) == 0
    readings = topics.settings.topic_readings
    stack = database.environment() | topics.environment()
    with broker.connect(stack) as kafka_:
        topic_id = kafka_.held([readings])[readings].topic_id
    with database.connect() as connection:
        connection.execute("SELECT ensure_event_partitions(%s)", [[NOW.date()]])
        connection.execute("INSERT INTO events VALUES (1, %s, 1, '{1}', NULL)", [NOW])
        connection.execute(
            'INSERT INTO dead_letters (topic_id, partition, "offset", topic, value, digest, code, detail)'
            " VALUES (%s, 0, 2, %s, '\\x00ff', '', 'malformed', 'no JSON')",
            [topic_id, readings],
        )
        connection.execute(
            "INSERT INTO kafka_offsets (topic, partition, topic_id, first_offset, next_offset, owner, owner_epoch,"
            " events_total, persisted_total, duplicate_total, dead_letter_total, acked_offset)"
            " VALUES (%s, 0, %s, 0, 3, gen_random_uuid(), 1, 3, 1, 1, 1, 0)",
            [readings, topic_id],
        )
    return stack


def test_what_adds_up_is_ok_and_says_how_much_it_looked_at(values: dict[str, str]) -> None:
    report = reconcile.check(values)
    assert (report["ok"], report["problems"], report["events"], report["lag"]) == (True, [], 1, 0)
    assert report["partitions"][0]["end"] == 3


def test_an_event_that_vanished_is_noticed(values: dict[str, str], database: Database) -> None:
    with database.connect() as connection:
        connection.execute("DELETE FROM events")
    assert reconcile.check(values)["problems"] == ["1 events were counted as persisted, 0 are stored"]


def test_a_dead_letter_that_vanished_is_noticed(values: dict[str, str], database: Database) -> None:
    with database.connect() as connection:
        connection.execute("DELETE FROM dead_letters")
    assert "1 dead letters were counted, 0 are there" in reconcile.check(values)["problems"][0]


def test_reading_past_the_end_is_noticed(values: dict[str, str], database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE kafka_offsets SET next_offset = 4, gap_total = 1")
    assert "read up to 4, but Kafka ends at 3" in reconcile.check(values)["problems"][0]


def test_a_chapter_that_was_closed_still_counts(values: dict[str, str], operator: Operator) -> None:
    operator.json("offsets", "skip", "--partition", "0", "--to", "latest", "--reason", "x", "--yes")
    report = operator.json("reconcile")
    (row,) = report["partitions"]
    assert (report["events"], row["persisted"], row["chapters"], row["skipped"]) == (1, 1, 2, 0)


def test_the_result_is_there_for_prometheus(values: dict[str, str], operator: Operator, tmp_path: Path) -> None:
    target = tmp_path / "plumbline.prom"
    assert operator.run("reconcile", "--textfile", str(target)).exit_code == 0
    text = target.read_text()
    assert "plumbline_reconcile_ok 1.0" in text
    assert "plumbline_reconcile_missing_events 0.0" in text
    assert 'plumbline_reconcile_unaccounted{partition="0"' in text
    assert list(tmp_path.glob("*.prom*")) == [target]


def test_what_does_not_add_up_is_there_for_prometheus_and_the_exit_status(
    values: dict[str, str], operator: Operator, database: Database, tmp_path: Path
) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE kafka_offsets SET gap_total = 1")
        connection.execute("DELETE FROM events")
    done = operator.run("reconcile", "--textfile", str(tmp_path / "r.prom"))
    assert done.exit_code == 1
    assert "NOT all accounted for" in done.stdout
    text = (tmp_path / "r.prom").read_text()
    assert "plumbline_reconcile_ok 0.0" in text
    assert "plumbline_reconcile_missing_events 1.0" in text
    assert "} -1.0" in text


def test_what_nobody_has_read_counts_as_lag(
    values: dict[str, str], database: Database, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOPIC_READINGS", topics.settings.topic_readings)
    with broker.connect(values) as connected:
        ends = connected.watermarks(connected.partitions())
    with store.snapshot(values) as connection:
        assert broker.lag(ends, store.offsets(connection)) == 0
    assert broker.lag(ends, {}) == 3
