"""GET /ingest/{receipt}: what became of events that were accepted, by the offsets and dead letters of ingestion."""

import json
from collections.abc import Callable
from typing import Any

import httpx

from api_service.settings import ApiSettings
from tests.pipeline import caught_up, ingestion, running, wait_for
from tests.proxy import proxied
from tests.servers import Database, Topics

Serve = Callable[..., httpx.Client]


def sent(client: httpx.Client, events: list[dict[str, Any]]) -> str:
    """The receipt of these events; the topic may have to be looked up first."""
    found: list[httpx.Response] = []

    def accepted() -> bool:
        found.append(client.post("/ingest", json=events))
        return found[-1].status_code != 503

    wait_for(accepted, "the gateway takes events")
    assert found[-1].status_code == 202, found[-1].text
    return str(found[-1].json()["receipt"])


def fates(client: httpx.Client, receipt: str) -> dict[str, Any]:
    answer = client.get(f"/ingest/{receipt}")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.pop("receipt") == receipt
    return dict(body)


def event(device: str, second: int, value: float = 1.0) -> dict[str, Any]:
    return {"device_id": device, "timestamp": 1_748_000_000 + second, "data_payload": {"m": value}}


def test_from_pending_to_persisted_or_dead_lettered(door: Serve, topics: Topics, database: Database) -> None:
    client = door()
    receipt = sent(client, [event("a", 0), event("b", 0), {"device_id": ""}, event("c", 0), event("a", 0, 2.0)])
    pending = [{"index": index, "status": "pending"} for index in (0, 1, 3, 4)]
    assert fates(client, receipt) == {"pending": 4, "persisted": 0, "dead_lettered": 0, "events": pending}
    with running("ingestion_service", ingestion(topics, database, MAX_DEVICES=1)):
        wait_for(lambda: fates(client, receipt)["pending"] == 0, "ingestion has read all")
        wait_for(lambda: caught_up(topics, database), "ingestion stands at the end")
    found = fates(client, receipt)
    assert (found["persisted"], found["dead_lettered"]) in ((1, 3), (2, 2))  # one device, whichever came first
    with database.connect() as connection:
        rows = connection.execute("SELECT device_id FROM devices").fetchall()
        [(letters,)] = connection.execute("SELECT count(*) FROM dead_letters").fetchall()
    known = {name for (name,) in rows}
    assert letters == found["dead_lettered"]
    for index, device in ((0, "a"), (1, "b"), (3, "c"), (4, "a")):
        [one] = [one for one in found["events"] if one["index"] == index]
        dead = {"index": index, "status": "dead_lettered", "code": "cardinality_limit"}
        assert one == ({"index": index, "status": "persisted"} if device in known else dead)
    # What is skipped, or was read of an earlier topic, is told from the decision that closed the chapter.
    later = sent(client, [event("d", n) for n in range(20)])
    decide(database, topics, skip=1)
    found = fates(client, later)
    assert found["pending"] == 20
    assert {json.dumps({**one, "index": 0}) for one in found["events"]} <= {
        '{"index": 0, "status": "pending", "code": "skipped"}', '{"index": 0, "status": "pending"}'
    }  # fmt: skip
    skipped = [one for one in found["events"] if one.get("code") == "skipped"]
    assert len(skipped) == 1
    with database.connect() as connection:
        connection.execute("UPDATE kafka_offsets SET topic_id = 'another'")
    assert fates(client, receipt)["pending"] == 0
    assert all(one.get("code") == "skipped" for one in fates(client, later)["events"])


def decide(database: Database, topics: Topics, skip: int) -> None:
    """Closes each partition's chapter as `plumbline offsets skip` does; the one of `d` goes on so much further."""
    with database.connect() as connection:
        connection.execute(
            """
            INSERT INTO offset_decisions (who, action, reason, state, topic, partition, topic_id, first_offset,
                next_offset, owner, owner_epoch, events_total, persisted_total, duplicate_total, conflict_total,
                dead_letter_total, gap_total, acked_offset, updated_at, new_topic_id, new_offset, low, high)
            SELECT 'test', 'skip', 'a test', 'ok', topic, partition, topic_id, first_offset, next_offset, owner,
                owner_epoch, events_total, persisted_total, duplicate_total, conflict_total, dead_letter_total,
                gap_total, acked_offset, updated_at, topic_id, next_offset + %s, 0, next_offset
            FROM kafka_offsets
            """,
            [skip],
        )
        connection.execute(
            "UPDATE kafka_offsets SET first_offset = next_offset + %s, next_offset = next_offset + %s", [skip, skip]
        )


def test_ten_thousand_events_are_told_at_once(door: Serve, topics: Topics, database: Database) -> None:
    client = door()
    receipt = sent(client, [event(f"d{n % 50}", n) for n in range(10_000)])
    with running("ingestion_service", ingestion(topics, database)):
        wait_for(lambda: caught_up(topics, database), "ingestion stands at the end")
    found = fates(client, receipt)
    assert found["persisted"] == 10_000
    assert [one["index"] for one in found["events"]] == list(range(10_000))


def test_a_receipt_is_its_subjects_own(door: Serve) -> None:
    client = door()
    receipt = sent(client, [event("ward-1", 0)])
    ward = door("ward")
    refused = ward.get(f"/ingest/{receipt}")
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    for forged in (receipt[:-2], receipt[1:], receipt.swapcase(), "x", "%00", receipt + "A"):
        answer = client.get(f"/ingest/{forged}")
        assert (answer.status_code, answer.content) == (404, refused.content), forged
    assert client.get(f"/ingest/{receipt}").status_code == 200


def test_truncated_offsets_mean_nothing_until_a_decision(door: Serve, topics: Topics, database: Database) -> None:
    client = door()
    receipt = sent(client, [event("a", 0)])
    with running("ingestion_service", ingestion(topics, database)):
        wait_for(lambda: fates(client, receipt)["persisted"] == 1, "it is stored")
    with database.connect() as connection:
        connection.execute("UPDATE kafka_offsets SET truncated = true")
    assert fates(client, receipt)["persisted"] == 0


def test_without_a_database_it_is_a_503(door: Serve, settings: ApiSettings) -> None:
    with proxied(settings.db_host, settings.db_port) as proxy:
        client = door(db_host="127.0.0.1", db_port=proxy.port)
        receipt = sent(client, [event("a", 0)])
        assert fates(client, receipt)["pending"] == 1
        proxy.cut()
        answer = client.get(f"/ingest/{receipt}")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["content-type"] == "application/problem+json"
        assert client.get("/ingest/forged").status_code == 404
        assert client.post("/ingest", json=event("a", 1)).status_code == 202
