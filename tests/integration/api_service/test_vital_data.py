"""GET /vital-data: the latest event of each device."""

import json
import random
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.aggregated import DAY, DAY_S, TODAY, put_now, rows, run
from tests.integration.api_service.warehouse import MICROS, Warehouse, at
from tests.pipeline import wait_for
from tests.servers import Database

Serve = Callable[..., httpx.Client]
NOON = at("2025-05-01T12:00:00")
OTHERS = """
SELECT FROM pg_stat_activity
WHERE datname = current_database() AND backend_type IN ('client backend', 'parallel worker') AND pid <> pg_backend_pid()
"""


def latest(client: httpx.Client, **asked: Any) -> dict[str, dict[str, Any]]:
    """The rows of all pages, by device."""
    found: dict[str, dict[str, Any]] = {}
    limit = {name: asked[name] for name in ("limit",) if name in asked}
    while True:
        answer = client.get("/vital-data", params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        for row in page["rows"]:
            assert not found or row["device_id"] > list(found)[-1]
            found[row["device_id"]] = row
        if page["next_cursor"] is None:
            return found
        asked = {"cursor": page["next_cursor"], **limit}


def test_the_latest_of_one_of_several_of_all(warehouse: Warehouse, serve: Serve) -> None:
    warehouse.add([("a", NOON, {"m": 1.0}), ("a", NOON - 1, {"m": 2.0}), ("Z", NOON, {})], '{"firmware": "1.4"}')
    warehouse.add([("b", NOON + 5, {"x": -0.0})])
    client = serve()
    a = {
        "device_id": "a", "timestamp": "2025-05-01T12:00:00Z", "data_payload": {"m": 1.0},
        "extras": {"firmware": "1.4"},
    }  # fmt: skip
    assert client.get("/vital-data", params={"device_id": "a"}).json() == {"rows": [a], "next_cursor": None}
    assert list(latest(client, device_id=["b", "a"])) == ["a", "b"]
    everything = latest(client)
    assert list(everything) == ["Z", "a", "b"]
    assert everything["Z"]["data_payload"] == {}
    assert str(everything["b"]["data_payload"]["x"]) == "-0.0"
    for limit in (1, 2, 3):
        assert latest(client, limit=limit) == everything
        assert list(latest(client, limit=limit, device_id=["b", "a"])) == ["a", "b"]


def test_of_events_that_are_as_late_it_is_the_first_of_records(warehouse: Warehouse, serve: Serve) -> None:
    sets = [("b",), ("a", "b"), ("a",), ("a", "c")]
    random.Random(1).shuffle(sets)
    warehouse.add([("a", NOON, dict.fromkeys(own, 1.0)) for own in sets])
    client = serve()
    [first] = client.get("/records", params={"device_id": "a", "limit": 1, "from": NOON // MICROS - 1}).json()["rows"]
    assert latest(client)["a"] == first
    assert list(first["data_payload"]) == ["a"]


def test_it_stays_after_raw_events_are_gone(database: Database, serve: Serve) -> None:
    put_now(database, [("gone", DAY + 5, {"m": 1.0}), ("gone", DAY + 4, {"m": 2.0}), ("empty", DAY + 7, {})])
    put_now(database, [("here", TODAY, {"m": 3.0})])
    run(database)
    client = serve()
    before = latest(client)
    assert {name: row["data_payload"] for name, row in before.items()} == {
        "empty": {}, "gone": {"m": 1.0}, "here": {"m": 3.0}
    }  # fmt: skip
    with database.connect() as connection:
        connection.execute(f"DROP TABLE events_{time.strftime('%Y%m%d', time.gmtime(DAY))}".encode())
    assert latest(client) == before
    assert client.get("/devices/gone").json()["last_seen"] == before["gone"]["timestamp"]
    put_now(database, [("gone", TODAY, {"m": 4.0})])
    assert latest(client)["gone"]["data_payload"] == {"m": 4.0}


def test_what_is_stored_is_not_looked_through(database: Database, serve: Serve) -> None:
    """However many days there are, and though the planner has no figures of any."""
    put_now(database, [(name, DAY - n * DAY_S, {"m": float(n)}) for n in range(40) for name in "ab"])
    put_now(database, [("silent", DAY - 40 * DAY_S, {"m": 0.0})])
    run(database)

    def scans(tables: str) -> int:
        counted = "SELECT coalesce(sum(idx_scan + seq_scan), 0)::int8 FROM pg_stat_user_tables"
        return int(rows(database, f"{counted} WHERE relname LIKE '{tables}'")[0][0])

    # A session's scans are told when it has ended, one session after the other.
    wait_for(lambda: not rows(database, OTHERS), "those who stored it are gone")
    assert scans("events_2%") > 40
    client, before, known = serve(), scans("events_2%"), scans("device_latest")
    for _ in range(10):
        assert latest(client)["silent"]["data_payload"] == {"m": 0.0}
    wait_for(lambda: scans("device_latest") >= known + 10, "those of the reader too")
    assert scans("events_2%") - before <= 10 * 3 * 2  # of each device the days that aren't stored yet: there are few


def test_late_events_count_before_and_after_they_are_worked_in(database: Database, serve: Serve) -> None:
    put_now(database, [("late", DAY + 5, {"m": 1.0}), ("other", TODAY, {"m": 1.0})])
    run(database)
    client = serve()
    put_now(database, [("late", DAY - 40 * DAY_S, {"m": 0.0})])
    assert latest(client)["late"]["data_payload"] == {"m": 1.0}
    put_now(database, [("late", DAY + 600, {"m": 2.0}), ("new", DAY - 40 * DAY_S, {"m": 9.0})])
    for _ in range(2):
        found = latest(client)
        assert found["late"]["data_payload"] == {"m": 2.0}
        assert found["new"]["data_payload"] == {"m": 9.0}
        assert found["other"]["data_payload"] == {"m": 1.0}
        run(database)
    assert rows(database, "SELECT count(*) FROM dirty") == [(0,)]
    assert rows(database, "SELECT count(*) FROM device_latest") == [(3,)]


def test_large_extras_come_whole_in_pages_that_are_bounded(
    warehouse: Warehouse, serve: Serve, database: Database
) -> None:
    extras = {name: {"noise": random.Random(name).randbytes(400_000).hex()} for name in map(str, range(10, 30))}
    for name, own in extras.items():
        warehouse.add([(name, DAY * MICROS, {"m": 1.0})], json.dumps(own))
    client = serve()
    for _ in range(2):
        sizes = []
        found: dict[str, Any] = {}
        asked: dict[str, str] = {}
        while asked is not None:
            answer = client.get("/vital-data", params=asked)
            sizes.append(len(answer.content))
            found |= {row["device_id"]: row["extras"] for row in answer.json()["rows"]}
            if answer.json()["next_cursor"] is None:
                break
            asked = {"cursor": answer.json()["next_cursor"]}
        assert found == extras
        assert len(sizes) == 2
        assert max(sizes) < 10 * 1024 * 1024
        run(database)  # and from device_latest


def test_a_token_sees_its_devices_only(warehouse: Warehouse, serve: Serve) -> None:
    warehouse.add([(name, NOON, {"m": 1.0}) for name in ("ward-1", "ward-2", "other")])
    ward = serve("ward")
    assert list(latest(ward)) == ["ward-1", "ward-2"]
    unknown = ward.get("/vital-data", params={"device_id": "nobody"})
    for names in ("other", ["ward-1", "other"], ["ward-1", "nobody"]):
        answer = ward.get("/vital-data", params={"device_id": names})
        assert (answer.status_code, answer.content) == (404, unknown.content)
    page = serve("all").get("/vital-data", params={"device_id": ["other", "ward-1", "a"][:2], "limit": 1}).json()
    assert list(latest(ward, cursor=page["next_cursor"])) == ["ward-1"]
    everything = serve("all").get("/vital-data", params={"limit": 1}).json()
    assert list(latest(ward, cursor=everything["next_cursor"])) == ["ward-1", "ward-2"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"device_id": [f"d{n}" for n in range(101)]}, "device_id"),
        ({"device_id": "a\0"}, "device_id"),
        ({"limit": "0"}, "limit"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"metric": "m"}, "query"),
    ],
)
def test_what_cannot_be_used_is_named(serve: Serve, asked: dict[str, Any], field: str) -> None:
    answer = serve().get("/vital-data", params=asked)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
