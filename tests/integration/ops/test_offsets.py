"""Partitions that stand still, and what an operator's decision does to them and to the service that runs."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from typer.testing import CliRunner

from deploy.local import environment
from ops import broker, store
from ops.cli import app
from ops.offsets import store as decisions
from ops.offsets.options import look
from ops.offsets.standing import plan
from shared import kafka
from shared.errors import PlumblineError, Unavailable
from shared.topics import ack_topic
from tests.integration.ops.remade import recreate
from tests.operator import Operator
from tests.pipeline import Service, caught_up, consume_whole, event, ingestion, produce, running, told, wait_for
from tests.servers import Database, Topics

PARTITIONS = 2
Rows = list[dict[str, object]]


@pytest.fixture
def service(topics: Topics, database: Database) -> Iterator[Service]:
    """An ingestion service that has read 40 events and 2 dead letters."""
    load(topics, range(40))
    with running("ingestion_service", ingestion(topics, database, BATCH_LINGER_MS=10)) as started:
        wait_for(lambda: caught_up(topics, database), "caught up")
        yield started


def load(topics: Topics, seconds: range) -> None:
    values = [event(f"d{i % 8}", i, m=i) for i in seconds] + [b"poison"] * 2
    produce(topics, values, [f"d{i % 8}".encode() for i in seconds] + [b"d0", b"d1"])


def delete_records(topics: Topics, before: dict[int, int]) -> None:
    """Deletes what lies before these offsets, as retention does."""
    name = topics.settings.topic_readings
    at = [TopicPartition(name, partition, offset) for partition, offset in before.items()]
    admin = kafka.admin(topics.settings)  # kept until its answers are there
    for done in admin.delete_records(at).values():
        done.result()


def totals(database: Database) -> dict[str, int]:
    """Sums over all chapters, and the rows that they stand for."""
    with database.connect() as connection:
        names = ("persisted", "duplicate", "dead_letter", "events", "dead_letters")
        row = connection.execute(
            "SELECT sum(persisted_total), sum(duplicate_total), sum(dead_letter_total),"
            " (SELECT count(*) FROM events), (SELECT count(*) FROM dead_letters) FROM ("
            " SELECT persisted_total, duplicate_total, dead_letter_total FROM kafka_offsets UNION ALL"
            " SELECT persisted_total, duplicate_total, dead_letter_total FROM offset_decisions) c"
        ).fetchone()
    assert row is not None
    return dict(zip(names, map(int, row), strict=True))


def test_partitions_that_are_well_are_ok(operator: Operator, service: Service) -> None:
    rows = operator.json("offsets")
    assert [(row["state"], row["lag"], row["topic_id"] == row["actual_topic_id"]) for row in rows] == [
        ("ok", 0, True)
    ] * PARTITIONS
    assert all(row["owner"] and row["owner_epoch"] == 1 for row in rows)


def test_a_new_topic_of_the_name_is_read_once_the_operator_says_so(
    operator: Operator, service: Service, topics: Topics, database: Database
) -> None:
    recreate(topics, PARTITIONS)
    rows = operator.json("offsets", status=1)
    assert {row["state"] for row in rows} == {"topic_recreated"}
    load(topics, range(100, 120))
    done = operator.run("offsets", "restart", "--all", "--reason", "made again", "--yes")
    assert done.exit_code == 0, (done.output, done.exception)
    wait_for(lambda: caught_up(topics, database), "caught up with the new topic")
    assert totals(database) == {"persisted": 60, "duplicate": 0, "dead_letter": 4, "events": 60, "dead_letters": 4}
    assert {row["state"] for row in operator.json("offsets")} == {"ok"}
    logged = operator.json("offsets", "log")
    assert [(row["action"], row["reason"], row["state"]) for row in logged] == [
        ("restart", "made again", "topic_recreated")
    ] * PARTITIONS
    assert sum(row["persisted_total"] for row in logged) == 40
    wait_for(lambda: told(database), "dead letters and acks of both topics published")
    acks = [json.loads(value or b"") for _, value, _ in consume_whole(topics, ack_topic(topics.settings, "success"))]
    assert {ack["topic_id"] for ack in acks} == {logged[0]["topic_id"], logged[0]["new_topic_id"]}


def test_reading_again_doubles_nothing_and_the_counters_stay_exact(
    operator: Operator, service: Service, topics: Topics, database: Database
) -> None:
    made = operator.json("offsets", "restart", "--partition", "0", "--partition", "1", "--reason", "drill", "--yes")
    assert [each["new_offset"] for each in made] == [0, 0]
    wait_for(lambda: caught_up(topics, database), "read again")
    assert totals(database) == {"persisted": 40, "duplicate": 42, "dead_letter": 2, "events": 40, "dead_letters": 2}
    wait_for(lambda: told(database), "acks of both chapters published")


def test_retention_that_overtook_is_skipped_by_decision(operator: Operator, topics: Topics, database: Database) -> None:
    load(topics, range(40))
    with running("ingestion_service", ingestion(topics, database)) as service:
        wait_for(lambda: caught_up(topics, database), "caught up")
        service.end()
    read = {row["partition"]: row["offset"] for row in operator.json("offsets")}
    load(topics, range(40, 80))
    delete_records(topics, {partition: offset + 5 for partition, offset in read.items()})
    assert {row["state"] for row in operator.json("offsets", status=1)} == {"retention_overtook"}
    with running("ingestion_service", ingestion(topics, database)):
        operator.json("offsets", "skip", "--to", "earliest", "--all", "--reason", "retention", "--yes")
        wait_for(lambda: caught_up(topics, database), "caught up")
    assert (
        totals(database)["events"] == totals(database)["persisted"] == 80 + 4 - 2 * 5 - totals(database)["dead_letter"]
    )


def test_acks_that_a_chapter_left_are_published_after_it_was_closed(
    operator: Operator, topics: Topics, database: Database
) -> None:
    load(topics, range(40))
    freeze = {"FAILPOINTS": "relay.before_publish=kill"}
    with running("ingestion_service", ingestion(topics, database), freeze) as service:
        service.wait()
    with database.connect() as connection:
        left = connection.execute("SELECT partition, first_offset FROM outbox ORDER BY 1, 2").fetchall()
    assert left
    everything = [f"--partition={partition}" for partition in range(PARTITIONS)]
    operator.json("offsets", "restart", "--from", "latest", *everything, "--reason", "skip it all", "--yes")
    with running("ingestion_service", ingestion(topics, database)):
        wait_for(lambda: told(database), "published")
    acks = [json.loads(value or b"") for _, value, _ in consume_whole(topics, ack_topic(topics.settings, "success"))]
    assert [(ack["partition"], ack["first_offset"]) for ack in acks if ack["partition"] == left[0][0]] == [left[0]]


def test_a_slow_relay_cannot_mark_the_next_chapter(operator: Operator, topics: Topics, database: Database) -> None:
    load(topics, range(40))
    frozen = {"FAILPOINTS": "relay.before_mark=kill"}
    with running("ingestion_service", ingestion(topics, database), frozen) as service:
        service.wait()
    with database.connect() as connection:
        (owner,) = connection.execute("SELECT DISTINCT owner FROM kafka_offsets").fetchone() or (None,)
    assert owner is not None
    from ingestion_service.outbox import Outbox

    outbox = Outbox(database.conninfo, owner)
    told = outbox.acks(100)
    everything = [f"--partition={partition}" for partition in range(PARTITIONS)]
    operator.json("offsets", "restart", *everything, "--reason", "drill", "--yes")
    with database.connect() as connection:
        connection.execute("UPDATE kafka_offsets SET owner = %s", [owner])  # it has claimed again
    outbox.mark_acks(told)
    outbox.close()
    with database.connect() as connection:
        assert connection.execute("SELECT DISTINCT acked_offset FROM kafka_offsets").fetchall() == [(0,)]


def test_of_two_operators_one_is_told_that_the_other_was_faster(
    operator: Operator, service: Service, database: Database, topics: Topics
) -> None:
    recreate(topics, PARTITIONS)
    values = database.environment() | topics.environment()
    found = look(values)
    barrier = threading.Barrier(2)

    def act(_: int) -> str:
        with store.writing(values) as connection:
            barrier.wait()
            try:
                decisions.decide(connection, plan("restart", found[0], "earliest"), "me", "why")
            except PlumblineError as error:
                return str(error)
            return "done"

    with ThreadPoolExecutor(2) as threads:
        outcomes = sorted(threads.map(act, range(2)))
    assert outcomes[0] == "done"
    assert "somebody else decided about" in outcomes[1]


def test_a_topic_that_is_gone_is_shown_and_cannot_be_restarted(
    operator: Operator, service: Service, topics: Topics
) -> None:
    service.end()
    name = topics.settings.topic_readings
    admin = kafka.admin(topics.settings)
    admin.delete_topics([name], operation_timeout=10)[name].result()
    # The broker confirms it before its own metadata shows it.
    wait_for(lambda: name not in admin.list_topics(timeout=10).topics, "topic deleted")
    done = operator.run("offsets")
    assert done.exit_code == 1
    assert done.stdout.count("topic_gone: Kafka has no such partition → make the topic again") == PARTITIONS
    refused = operator.run("offsets", "restart", "--all", "--reason", "x", "--yes")
    assert "make the topic again" in str(refused.exception)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["skip", "--to", "latest", "--reason", "x"], 2, "name partitions with --partition"),
        (["skip", "--to", "latest", "--partition", "0", "--reason", " "], 2, "say why"),
        (["skip", "--to", "999", "--partition", "0", "--reason", "x"], 1, "outside of what"),
        (["restart", "--partition", "7", "--reason", "x"], 1, "there is no"),
        (["restart", "--all", "--reason", "x"], 1, "needs a decision"),
    ],
)
def test_nonsense_is_refused_with_what_to_do(
    operator: Operator, service: Service, arguments: list[str], status: int, said: str
) -> None:
    done = operator.run("offsets", *arguments, "--yes")
    assert done.exit_code == status
    assert said in done.output + str(done.exception)


def test_nothing_happens_on_a_dry_run_or_without_consent(
    operator: Operator, service: Service, database: Database
) -> None:
    restart = ("offsets", "restart", "--partition", "0", "--reason", "x")
    planned = operator.json(*restart, "--dry-run")
    assert [(each["new_offset"], each["decision"]) for each in planned] == [(0, None)]
    refused = operator.run(*restart, typed="n\n")
    assert refused.exit_code == 1
    assert "are read again" in refused.stdout
    assert operator.json("offsets", "log") == []


def test_a_broker_that_is_away_is_said_with_its_exit_status(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.write(tmp_path, database.environment() | {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path))
    monkeypatch.setattr(broker, "TIMEOUT_S", 0.5)
    for command in (["offsets"], ["reconcile"], ["trace", "0:1"]):
        refused = CliRunner().invoke(app, command).exception
        assert isinstance(refused, Unavailable), (command, refused)
        assert "Kafka at 127.0.0.1:9 doesn't answer" in str(refused)
