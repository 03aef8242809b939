"""Acks when their topics are missing or take nothing: ingestion goes on, within a bound, and nothing is forgotten."""

import json
import signal
import urllib.error
import urllib.request

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from shared import kafka
from shared.topics import ack_topic
from tests.faults.readiness import free_port
from tests.pipeline import (
    assert_accounts,
    caught_up,
    consume_all,
    consume_whole,
    event,
    high_watermarks,
    ingestion,
    produce,
    running,
    wait_for,
)
from tests.servers import Database, Topics

EVENTS = 300
BATCH = 10


def load(topics: Topics) -> None:
    """Good events, and three that aren't."""
    produce(topics, [event(f"d{i % 5}", i, m=i) for i in range(EVENTS)] + [b"poison"] * 3)


def delete(topics: Topics, name: str) -> None:
    admin = kafka.admin(topics.settings)
    admin.delete_topics([name], operation_timeout=10)[name].result()
    wait_for(lambda: name not in admin.list_topics(timeout=10).topics, "topic deleted")


def create(topics: Topics, name: str) -> None:
    admin = kafka.admin(topics.settings)
    admin.create_topics([NewTopic(name, num_partitions=2, replication_factor=1)])[name].result()
    wait_for(lambda: name in admin.list_topics(timeout=10).topics, "topic made")


def takes_records(topics: Topics, name: str, *, takes: bool) -> None:
    """Has the broker refuse, or take, what is published: it may be no older than 0 ms when it arrives, or a day."""
    entry = ConfigEntry(
        "message.timestamp.before.max.ms",
        str(86_400_000 if takes else 0),
        incremental_operation=AlterConfigOpType.SET,
    )
    admin = kafka.admin(topics.settings)
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result()


class Endpoint:
    """A service's own port."""

    def __init__(self) -> None:
        self.port = free_port()

    def problems(self) -> list[str]:
        """What /readyz says."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                found = json.load(error)
        problems: list[str] = found["problems"]
        return problems

    def metric(self, name: str) -> float:
        """A metric without labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def assert_acknowledged_in_order(topics: Topics) -> None:
    """Success acks cover every offset, in order; a repeated one says what it said before."""
    ends = high_watermarks(topics)
    covered: dict[int, int] = dict.fromkeys(ends, 0)
    for _, value, _ in consume_whole(topics, ack_topic(topics.settings, "success")):
        ack = json.loads(value or b"")
        assert ack["first_offset"] <= covered[ack["partition"]]
        covered[ack["partition"]] = max(covered[ack["partition"]], ack["last_offset"] + 1)
    assert covered == ends


@pytest.mark.parametrize("trouble", ["missing", "refusing"])
def test_without_its_success_topic_ingestion_goes_on_slower_and_says_so(
    topics: Topics, database: Database, trouble: str
) -> None:
    name = ack_topic(topics.settings, "success")
    if trouble == "missing":
        delete(topics, name)
    else:
        takes_records(topics, name, takes=False)
    load(topics)
    endpoint = Endpoint()
    bound = {"BATCH_MAX_EVENTS": BATCH, "ACK_BACKLOG_MAX": 5, "ACK_HOLD_MAX_SECONDS": 0.1}
    with running("ingestion_service", ingestion(topics, database, METRICS_PORT=endpoint.port, **bound)):
        wait_for(lambda: caught_up(topics, database), "caught up all the same")
        assert any("acks are behind" in problem for problem in endpoint.problems())
        assert endpoint.metric("ingestion_ack_held_seconds_total") >= 0.1 * (EVENTS / BATCH / 2 - 5)
        assert endpoint.metric("ingestion_ack_backlog") > 5
        lag = endpoint.metric("ingestion_ack_lag_seconds")
        wait_for(lambda: endpoint.metric("ingestion_ack_lag_seconds") > lag + 1, "the lag grows while it is stuck")
        # What other topics are told of isn't held up.
        assert len(consume_all(topics, topics.settings.topic_dead_letters, 3)) == 3
        assert len(consume_all(topics, ack_topic(topics.settings, "validation-error"), 3)) == 3
        if trouble == "missing":
            create(topics, name)
        else:
            takes_records(topics, name, takes=True)
        wait_for(lambda: endpoint.problems() == [], "ready again", timeout_s=90)
        wait_for(lambda: endpoint.metric("ingestion_ack_lag_seconds") == 0, "nothing waits any more")
    assert_acknowledged_in_order(topics)
    assert assert_accounts(database)["persisted"] == EVENTS


def test_a_missing_topic_of_error_acks_holds_up_neither_dead_letters_nor_success_acks(
    topics: Topics, database: Database
) -> None:
    name = ack_topic(topics.settings, "validation-error")
    delete(topics, name)
    load(topics)
    with running("ingestion_service", ingestion(topics, database, BATCH_MAX_EVENTS=BATCH)):
        assert len(consume_all(topics, topics.settings.topic_dead_letters, 3)) == 3
        wait_for(lambda: caught_up(topics, database) and told_of_good_ones(database), "success acks have left")
        assert_acknowledged_in_order(topics)
        create(topics, name)
        assert len(consume_all(topics, name, 3)) == 3
        wait_for(lambda: unacknowledged(database) == 0, "marked")
    letters = consume_whole(topics, topics.settings.topic_dead_letters)
    assert len(letters) == 3  # not once more for each try at their acks


def test_a_missing_topic_does_not_keep_the_service_from_stopping(topics: Topics, database: Database) -> None:
    delete(topics, ack_topic(topics.settings, "success"))
    load(topics)
    with running("ingestion_service", ingestion(topics, database)) as service:
        wait_for(lambda: caught_up(topics, database), "caught up")
        service.send(signal.SIGTERM)
        assert service.wait(15) == 0


def told_of_good_ones(database: Database) -> bool:
    with database.connect() as connection:
        return connection.execute("SELECT FROM kafka_offsets WHERE acked_offset < next_offset").rowcount == 0


def unacknowledged(database: Database) -> int:
    with database.connect() as connection:
        row = connection.execute("SELECT count(*) FROM dead_letters WHERE acked_at IS NULL").fetchone()
    return int(row[0]) if row else -1
