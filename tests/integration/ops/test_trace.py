"""The way of an event, on the real Kafka and Postgres, with statistics of the real aggregator."""

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import TopicPartition

from shared import kafka
from tests import aggregated
from tests.operator import Operator
from tests.pipeline import Service, caught_up, ingestion, produce, running, told, wait_for
from tests.servers import Database, Topics

BEGIN = int(time.time()) // 60 * 60 - 86_400 * 2 - 3_600 * 3  # its hour is closed


def event(device: str, second: int, value: float) -> bytes:
    return b'{"device_id":"%b","timestamp":%d,"data_payload":{"t":%r}}' % (device.encode(), BEGIN + second, value)


@pytest.fixture
def service(topics: Topics, database: Database) -> Iterator[Service]:
    """An ingestion service that has stored three events a device and refused one record."""
    values = [event(f"d{i % 4}", i, i / 2) for i in range(12)]
    produce(topics, [*values, b"poison\x1b[31m"], [f"d{i % 4}".encode() for i in range(12)] + [b"d0"])
    with running("ingestion_service", ingestion(topics, database, BATCH_LINGER_MS=10)) as started:
        # A trace says whether acks have left, so that two of them differ while they leave.
        wait_for(lambda: caught_up(topics, database) and told(database), "caught up, and told")
        yield started


def test_an_event_is_followed_from_its_record_to_its_statistics(
    operator: Operator, service: Service, database: Database, topics: Topics
) -> None:
    aggregated.run(database)
    found = operator.json("trace", "d1")
    assert (found["found"], found["verdict"], found["ingestion"]["state"]) == (True, "stored", "committed")
    assert found["record"]["key"] == "d1"
    assert found["events"][0]["values"] == {"t": 4.5}
    assert {each["level"]: each["state"] for each in found["buckets"]} == dict.fromkeys((60, 3_600, 86_400), "stored")
    assert found["buckets"][0]["statistics"] == [{"metric": "t", "count": 3, "min": 0.5, "max": 4.5, "avg": 2.5}]
    # By its place, the same.
    by_place = operator.json("trace", f"{found['partition']}:{found['offset']}")
    assert by_place == found
    # By device and time, another one of the device.
    earlier = operator.json("trace", "d1", str(BEGIN + 5))
    assert earlier["events"][0]["values"] == {"t": 2.5}
    assert earlier["offset"] < found["offset"]
    shown = operator.run("trace", "d1").stdout
    assert "t: count 3 min 0.5 avg 2.5 max 4.5" in shown
    assert "success ack" in shown


def test_a_late_event_waits_to_be_counted(
    operator: Operator, service: Service, database: Database, topics: Topics
) -> None:
    aggregated.run(database)
    produce(topics, [event("d1", 20, 7.0)], [b"d1"])
    wait_for(lambda: caught_up(topics, database), "caught up")
    found = operator.json("trace", "d1")
    assert found["buckets"][0]["state"] == "dirty: 1 late events wait"
    assert found["buckets"][0]["statistics"][0]["count"] == 3


def test_a_dead_letter_is_found_by_its_place(operator: Operator, service: Service) -> None:
    (letter,) = operator.json("dlq", "list")
    found = operator.json("trace", f"{letter['topic']}/{letter['partition']}:{letter['offset']}")
    assert (found["found"], found["dead_letter"]["code"], found["events"]) == (True, "malformed", [])
    assert "\x1b" not in operator.run("trace", f"{letter['partition']}:{letter['offset']}").stdout


def test_what_is_not_read_yet_waits_in_kafka(operator: Operator, service: Service, topics: Topics) -> None:
    service.end()
    produce(topics, [event("new", 1, 1.0)], [b"new"])
    found = operator.json("trace", "new", str(BEGIN + 1))
    assert found["found"]
    assert "in Kafka only, not read yet" in found["verdict"]


def test_what_is_nowhere_is_said_and_ends_with_status_1(operator: Operator, service: Service) -> None:
    found = operator.json("trace", "d1", str(BEGIN - 1_000), status=1)
    assert (found["found"], found["verdict"]) == (False, "nowhere")
    assert "not found among 13 records" in found["record_note"]
    assert "give a time" in operator.json("trace", "nobody", status=1)["record_note"]
    assert operator.json("trace", "0:999", status=1)["ingestion"]["state"] == "waiting"
    assert operator.json("trace", "99:0", status=1)["verdict"] == "nowhere"
    assert "nowhere" in operator.run("trace", "3:4", "--device").stdout


def test_a_stored_event_whose_record_is_gone_is_still_stored(
    operator: Operator, service: Service, topics: Topics
) -> None:
    place = operator.json("trace", "d1")
    admin = kafka.admin(topics.settings)
    at = TopicPartition(topics.settings.topic_readings, place["partition"], place["offset"] + 1)
    for done in admin.delete_records([at]).values():
        done.result()
    found = operator.json("trace", "d1")
    assert (found["verdict"], found["record"]) == ("stored", None)
    assert "retention took it" in found["record_note"]
    assert operator.json("trace", "d1", "--no-scan")["record_note"] == "not looked for (--no-scan)"
