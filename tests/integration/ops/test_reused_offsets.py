"""Kafka lost records, and new ones have their offsets: what was known of the old ones stays, beside the new."""

import json
import signal
import urllib.request

from ingestion_service.outbox import record_digest
from shared.topics import ack_topic
from tests.faults.readiness import free_port
from tests.integration.ops.remade import truncate
from tests.operator import Operator
from tests.pipeline import (
    Service,
    assert_accounts,
    caught_up,
    consume_all,
    event,
    ingestion,
    produce,
    running,
    told,
    wait_for,
)
from tests.servers import Database, Topics

PARTITIONS = 2
OLD, NEW = b"the old poison", b"the new poison"
SAME, OTHER, GONE = b"poison of both", b"poison of another key", b"poison in place of an event"


def ingest(topics: Topics, database: Database) -> None:
    with running("ingestion_service", ingestion(topics, database, BATCH_LINGER_MS=10)) as service:
        wait_for(lambda: caught_up(topics, database) and told(database), "all is read and told")
        stop(service)


def stop(service: Service) -> None:
    service.send(signal.SIGTERM)
    assert service.wait() == 0, service.output()


def metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text: str = answer.read().decode()
    return text


def restart(operator: Operator) -> None:
    everything = [f"--partition={partition}" for partition in range(PARTITIONS)]
    operator.json("offsets", "restart", *everything, "--reason", "drill", "--yes")


def lost_and_replaced(operator: Operator, topics: Topics, database: Database) -> None:
    """Four records of partition 1 were read and told, then lost; four others have their offsets, and are read."""
    produce(topics, [OLD, SAME, OTHER, GONE], [b"a", b"a", b"b", b"a"])
    ingest(topics, database)
    truncate(topics, database, PARTITIONS)
    assert "truncated" in {row["state"] for row in operator.json("offsets", status=1)}
    produce(topics, [NEW, SAME, OTHER, event("a", 1, m=1)], [b"a", b"a", b"c", b"a"])
    restart(operator)
    ingest(topics, database)


def test_a_dead_letter_at_the_offset_of_a_lost_one_is_stored_beside_it(
    operator: Operator, topics: Topics, database: Database
) -> None:
    lost_and_replaced(operator, topics, database)
    with database.connect() as connection:
        rows = connection.execute('SELECT "offset", key, value FROM dead_letters ORDER BY "offset", at').fetchall()
    assert [tuple(row) for row in rows] == [
        (0, b"a", OLD), (0, b"a", NEW), (1, b"a", SAME), (2, b"b", OTHER), (2, b"c", OTHER), (3, b"a", GONE),
    ]  # fmt: skip
    expected = {"persisted": 1, "duplicates": 1, "conflicts": 0, "dead_letters": 6}
    assert assert_accounts(database) == expected
    letters = consume_all(topics, topics.settings.topic_dead_letters, 6)
    assert sorted((key, value) for key, value, _ in letters) == sorted((row[1], row[2]) for row in rows)
    acks = consume_all(topics, ack_topic(topics.settings, "validation-error"), 6)
    assert sorted(json.loads(value or b"")["offset"] for _, value, _ in acks) == [0, 0, 1, 2, 2, 3]
    # The same records met again are duplicates, as ever.
    restart(operator)
    port = free_port()
    with running("ingestion_service", ingestion(topics, database, METRICS_PORT=port)):
        wait_for(lambda: caught_up(topics, database), "read again")
        wait_for(lambda: 'outcome="duplicate"} 4.0' in metrics(port), "counted")
        counted = [line for line in metrics(port).splitlines() if line.startswith("ingestion_dead_letters_total{")]
        assert counted
        assert all(line.endswith(" 0.0") for line in counted)
    assert assert_accounts(database) == {**expected, "duplicates": 1 + 4}
    assert operator.json("reconcile")["ok"]


def test_ingestion_and_the_database_know_a_record_by_the_same_digest(database: Database) -> None:
    some = (None, b"", b"a", b"\x01", b"\x01a", b"a\x01")
    records = [(key, value) for key in some for value in some]
    with database.connect() as connection:
        query = "SELECT record_digest(%s::bytea, %s::bytea)"
        found = [(connection.execute(query, record).fetchone() or (None,))[0] for record in records]
    assert found == [record_digest(*record) for record in records]
    assert len(set(found)) == len(records)


def test_an_operator_sees_both_and_decides_about_each(operator: Operator, topics: Topics, database: Database) -> None:
    lost_and_replaced(operator, topics, database)
    name = topics.settings.topic_readings
    first = operator.json("dlq", "list", "--offset", "0")
    assert len({row["digest"] for row in first}) == 2
    shown = operator.run("dlq", "show", name, "1", "0").stdout
    assert NEW.decode() in shown
    other = shown.split("of a record that Kafka lost → --digest ")[1].split()[0]
    assert operator.json("dlq", "show", name, "1", "0", "--digest", other)["value"] == OLD.decode()
    until = next(row["at"] for row in first if row["digest"].startswith(other))
    assert operator.json("dlq", "replay", "--offset", "0", "--since", until)["replayed"] == 2
    assert [each["attempt"] for each in operator.json("dlq", "show", name, "1", "0")["decisions"]] == [1]
    with running("ingestion_service", ingestion(topics, database)):
        wait_for(lambda: assert_accounts(database)["dead_letters"] == 8, "both were refused again, each for itself")


def test_a_trace_tells_a_record_from_the_lost_one_whose_offset_it_has(
    operator: Operator, topics: Topics, database: Database
) -> None:
    lost_and_replaced(operator, topics, database)
    found = operator.json("trace", "1:3")
    assert (found["verdict"], found["dead_letter"]) == ("stored", None)
    letter = operator.json("trace", "1:0")
    assert (letter["record"]["value"], letter["dead_letter"]["code"]) == (NEW.decode(), "malformed")


def test_acks_of_lost_records_and_of_those_that_have_their_offsets_are_all_told(
    operator: Operator, topics: Topics, database: Database
) -> None:
    produce(topics, [event("a", second, m=1) for second in range(3)], [b"a"] * 3)
    with running(
        "ingestion_service", ingestion(topics, database), {"FAILPOINTS": "relay.before_publish=kill"}
    ) as service:
        service.wait()
    truncate(topics, database, PARTITIONS)
    produce(topics, [event("a", second, m=1) for second in range(5)], [b"a"] * 5)
    restart(operator)
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
        assert connection.execute("SELECT first_offset FROM outbox_closed").fetchall() == [(0,)]
    ingest(topics, database)
    acks = [json.loads(value or b"") for _, value, _ in consume_all(topics, ack_topic(topics.settings, "success"), 2)]
    assert [(ack["first_offset"], ack["persisted"], ack["duplicates"]) for ack in acks] == [(0, 3, 0), (0, 2, 3)]
