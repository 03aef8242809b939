"""GET /check-buffer: what Kafka has and the database hasn't yet."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from confluent_kafka import TopicPartition

from api_service.gateway import buffer
from api_service.gateway.backlog import Backlog, Waiting
from api_service.gateway.store import Position
from api_service.settings import ApiSettings
from shared import kafka
from tests.pipeline import caught_up, ingestion, produce, running, wait_for
from tests.pipeline import event as record
from tests.proxy import proxied
from tests.servers import Database, Topics

Serve = Callable[..., httpx.Client]


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer is a new one."""
    monkeypatch.setattr(buffer, "_FRESH_S", 0)


def rows(client: httpx.Client) -> dict[int, tuple[int, float | None]]:
    """Count and age by partition; on a busy machine Kafka may take a second try."""
    found: list[httpx.Response] = []

    def answered() -> bool:
        found.append(client.get("/check-buffer"))
        return found[-1].status_code != 503

    wait_for(answered, "an answer")
    assert found[-1].status_code == 200, found[-1].text
    body = found[-1].json()
    assert body["next_cursor"] is None
    assert body["count"] == sum(row["count"] for row in body["rows"])
    return {row["partition"]: (row["count"], row["oldest_age_seconds"]) for row in body["rows"]}


def at(topics: Topics, partition: int, age_s: float, value: bytes, **transaction: Any) -> None:
    """Publishes a record that is so old."""
    producer = kafka.producer(topics.settings, **transaction)
    if transaction:
        producer.init_transactions(10)
        producer.begin_transaction()
    moment = round((time.time() - age_s) * 1000)
    producer.produce(topics.settings.topic_readings, value, partition=partition, timestamp=moment)
    if transaction:
        producer.commit_transaction(10)
    assert producer.flush(10) == 0


@pytest.mark.usefixtures("fresh")
def test_counts_and_ages_from_before_ingestion_to_its_end(door: Serve, topics: Topics, database: Database) -> None:
    client = door()
    assert rows(client) == {0: (0, None), 1: (0, None)}
    at(topics, 1, 500, record("a", 0, m=1.0))
    at(topics, 1, 50, record("a", 1, m=1.0))
    found = rows(client)
    assert found[0] == (0, None)
    count, age = found[1]
    assert count == 2
    assert age is not None
    assert 500 <= age < 520
    with running("ingestion_service", ingestion(topics, database)):
        wait_for(lambda: caught_up(topics, database), "ingestion stands at the end")
    assert rows(client) == {0: (0, None), 1: (0, None)}
    at(topics, 1, 100, record("a", 2, m=1.0))
    count, age = rows(client)[1]
    assert count == 1
    assert age is not None
    assert 100 <= age < 120
    # Positions in an earlier topic of that name say nothing of this one.
    with database.connect() as connection:
        connection.execute("UPDATE kafka_offsets SET topic_id = 'another'")
    assert rows(client)[1][0] == 3


@pytest.mark.usefixtures("fresh")
def test_markers_of_transactions_and_deleted_records(door: Serve, topics: Topics) -> None:
    client = door()
    at(topics, 0, 300, record("a", 0, m=1.0), transactional_id=f"{topics.settings.topic_readings}-t")
    wait_for(lambda: rows(client)[0][0] == 2, "the record and, written a moment later, its marker")
    _, age = rows(client)[0]
    assert age is not None
    assert 300 <= age < 320
    admin = kafka.admin(topics.settings)
    for deleted in admin.delete_records([TopicPartition(topics.settings.topic_readings, 0, 1)]).values():
        deleted.result(10)
    assert rows(client)[0] == (1, None)  # the marker alone is no record


def test_many_who_ask_cost_one_look(door: Serve, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    look = Backlog.look

    def counted(backlog: Backlog, positions: Sequence[Position]) -> list[Waiting]:
        looks.append(time.monotonic())
        return look(backlog, positions)

    monkeypatch.setattr(Backlog, "look", counted)
    client = door()
    produce(topics, [record("a", n, m=1.0) for n in range(100)])
    assert sum(count for count, _ in rows(client).values()) == 100
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: client.get("/check-buffer"), range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["count"] for answer in answers} == {100}
    assert len(looks) <= 2 + (looks[-1] - looks[0]) / 0.5


def test_tokens_need_the_scope_and_parameters_are_refused(door: Serve) -> None:
    client = door("ward")
    assert client.get("/check-buffer").status_code == 200
    for path in ("/check-buffer", "/ingest/any-receipt"):
        refused = client.get(path, params={"partition": "secret-input"})
        assert refused.status_code == 422, path
        assert [error["field"] for error in refused.json()["errors"]] == ["query"]
        assert "secret-input" not in refused.text
    client.headers.pop("Authorization")
    assert client.get("/check-buffer").status_code == 401


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_kafka_away(door: Serve, topics: Topics, how: str) -> None:
    host, _, port = topics.settings.kafka_bootstrap_servers.rpartition(":")
    with proxied(host, int(port)) as proxy:
        proxy.freeze() if how == "hangs" else proxy.cut()
        client = door(kafka_bootstrap_servers=f"127.0.0.1:{proxy.port}")
        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(lambda _: client.get("/check-buffer"), range(20)))
        for answer in answers:
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.headers["content-type"] == "application/problem+json"
            assert "Kafka" in answer.json()["detail"]
        assert max(answer.elapsed.total_seconds() for answer in answers) < 2.5  # 1.2, on a busy machine
        assert client.get("/devices").status_code == 200  # others don't wait for it
        if how == "hangs":
            proxy.thaw()
        else:
            proxy.restore()
        wait_for(lambda: client.get("/check-buffer").status_code == 200, "it is back")


@pytest.mark.usefixtures("fresh")
def test_the_database_away(door: Serve, settings: ApiSettings) -> None:
    with proxied(settings.db_host, settings.db_port) as proxy:
        client = door(db_host="127.0.0.1", db_port=proxy.port)
        assert rows(client) == {0: (0, None), 1: (0, None)}
        proxy.cut()
        answer = client.get("/check-buffer")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.elapsed.total_seconds() < 2.5  # a second, on a busy machine
        proxy.restore()
        wait_for(lambda: client.get("/check-buffer").status_code == 200, "it is back")
