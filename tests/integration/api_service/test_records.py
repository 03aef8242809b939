"""/records: events as they were accepted, newest first."""

import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api_service.query.times import render as text
from tests.integration.api_service.warehouse import MICROS, Warehouse, at
from tests.pipeline import wait_for

Serve = Callable[..., httpx.Client]
NOON = at("2025-05-01T12:00:00")
DAY = 86_400 * MICROS
EVER = {"from": "2025-01-01T00:00:00Z", "to": "2025-12-31T00:00:00Z"}


def pages(client: httpx.Client, **asked: Any) -> list[dict[str, Any]]:
    """The rows of all pages."""
    found: list[dict[str, Any]] = []
    limit = {name: asked[name] for name in ("limit",) if name in asked}
    while True:
        answer = client.get("/records", params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["rows"]
        if page["next_cursor"] is None:
            return found
        asked = {"cursor": page["next_cursor"], **limit}


def places(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(row["timestamp"], row["device_id"], tuple(row["data_payload"])) for row in rows]


def test_an_event_comes_back_as_it_was_sent(warehouse: Warehouse, serve: Serve) -> None:
    exact = {"a": -0.0, "b": 5e-324, "c": 1.7976931348623157e308, "d": 0.1, "e": 1e16, "f": -3.0}
    warehouse.add([("dev/ü", NOON + 1, exact)], '{"firmware": "1.4", "tags": ["x", null, {"y": 1.50}]}')
    warehouse.add([("dev/ü", NOON, {})])
    answer = serve().get("/records", params={"device_id": "dev/ü", **EVER})
    first, second = answer.json()["rows"]
    assert first["timestamp"] == "2025-05-01T12:00:00.000001Z"
    assert {name: value.hex() for name, value in first["data_payload"].items()} == {
        name: value.hex() for name, value in exact.items()
    }
    assert first["extras"] == {"firmware": "1.4", "tags": ["x", None, {"y": 1.5}]}
    assert second == {"device_id": "dev/ü", "timestamp": "2025-05-01T12:00:00Z", "data_payload": {}, "extras": {}}
    assert answer.headers["Cache-Control"] == "no-store"


def test_pages_hold_each_event_once_in_a_total_order(warehouse: Warehouse, serve: Serve) -> None:
    generator = random.Random(7)
    sets: list[tuple[str, ...]] = [(), ("a",), ("a", "b"), ("b",), ("M",)]
    keys = {
        (device, NOON - generator.choice([0, 1, 59 * MICROS, 3_600 * MICROS, 3 * DAY, 40 * DAY]), own)
        for device in ("a", "b", "Z")
        for own in sets
        for _ in range(9)
    }
    listed = sorted(keys)
    generator.shuffle(listed)
    warehouse.add([(device, ts, dict.fromkeys(own, 1.0)) for device, ts, own in listed])
    expected = [(text(ts), device, own) for device, ts, own in sorted(keys, key=lambda k: (-k[1], k[0], k[2]))]
    client = serve()
    for limit in (1, 2, 7, 1_000):
        assert places(pages(client, device_id=["a", "b", "Z"], limit=limit, **EVER)) == expected
    own = [place for place in expected if place[1] == "b"]
    assert places(pages(client, device_id="b", limit=3, **EVER)) == own
    assert places(pages(client, device_id="b", limit=3, metric=["b", "M"], **EVER)) == [
        place for place in own if {"b", "M"} & set(place[2])
    ]
    assert pages(client, device_id="b", metric="nothing", **EVER) == []


def test_a_range_begins_with_from_and_ends_before_to(warehouse: Warehouse, serve: Serve) -> None:
    warehouse.add([("a", NOON + n, {"m": float(n)}) for n in range(5)])
    client = serve()

    def between(start: int, end: int) -> list[float]:
        rows = pages(client, device_id="a", **{"from": text(NOON + start), "to": text(NOON + end)})
        return [row["data_payload"]["m"] for row in rows]

    assert between(1, 3) == [2.0, 1.0]
    assert between(2, 2) == []


def test_the_default_is_the_last_day_until_now(warehouse: Warehouse, serve: Serve) -> None:
    row = warehouse.connection.execute("SELECT (extract(epoch FROM now()) * 1000000)::int8").fetchone()
    assert row is not None
    [now] = row
    warehouse.add([("a", now + 250 * MICROS, {"m": 3.0}), ("a", now, {"m": 2.0}), ("a", now - DAY, {"m": 1.0})])
    client = serve()
    assert [row["data_payload"]["m"] for row in pages(client, device_id="a")] == [2.0]
    ahead = {"from": "-25h", "to": text(now + 300 * MICROS)}
    assert [row["data_payload"]["m"] for row in pages(client, device_id="a", **ahead)] == [3.0, 2.0, 1.0]


def test_events_that_come_meanwhile_disturb_no_page(warehouse: Warehouse, serve: Serve) -> None:
    row = warehouse.connection.execute("SELECT (extract(epoch FROM now()) * 1000000)::int8").fetchone()
    assert row is not None
    [now] = row
    warehouse.add([("a", now - n * 60 * MICROS, {"m": float(n)}) for n in range(1, 31)])
    client, found = serve(), []
    asked: dict[str, Any] = {"device_id": "a", "from": "-1h", "limit": 7}
    while True:
        page = client.get("/records", params=asked).json()
        found += [row["data_payload"]["m"] for row in page["rows"]]
        if page["next_cursor"] is None:
            break
        warehouse.add([("a", now + 1_000_000 + len(found), {"new": 1.0})])
        asked |= {"cursor": page["next_cursor"]}  # the others may be repeated on every page
    assert found == [float(n) for n in range(1, 31)]


def test_a_page_is_bounded_in_bytes(warehouse: Warehouse, serve: Serve) -> None:
    noise = random.Random(3).randbytes(450_000).hex()
    warehouse.add([("a", NOON + n, {"m": float(n)}) for n in range(20)], json.dumps({"noise": noise}))
    warehouse.add([("a", NOON - 1 - n, {"m": -1.0 - n}) for n in range(20)], json.dumps({"same": "x" * 900_000}))
    client, found, sizes = serve(), [], []
    asked: dict[str, Any] = {"device_id": "a", **EVER}
    while True:
        answer = client.get("/records", params=asked)
        sizes.append(len(answer.content))
        found += answer.json()["rows"]
        if answer.json()["next_cursor"] is None:
            break
        asked = {"cursor": answer.json()["next_cursor"]}
    assert [row["data_payload"]["m"] for row in found] == [float(n) for n in range(19, -21, -1)]
    assert [row["extras"].get("noise", "x" * 900_000) for row in found] == [noise] * 20 + ["x" * 900_000] * 20
    assert len(sizes) == 4
    assert max(sizes) < 10 * 1024 * 1024


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "device_id"),
        ({"device_id": ["x"] + [f"d{n}" for n in range(100)]}, "device_id"),
        ({"device_id": "a\0"}, "device_id"),
        ({"device_id": "a", "metric": "a b"}, "metric"),
        ({"device_id": "a", "from": "yesterday"}, "from"),
        ({"device_id": "a", "from": "now", "to": "-1h"}, "from"),
        ({"device_id": "a", "to": "2300-01-01T00:00:00Z"}, "to"),
        ({"device_id": "a", "limit": "0"}, "limit"),
        ({"device_id": "a", "limit": "10001"}, "limit"),
        ({"device_id": "a", "cursor": "AAAA"}, "cursor"),
        ({"device_id": "a", "bucket": "1h"}, "query"),
    ],
)
def test_what_cannot_be_used_is_named(warehouse: Warehouse, serve: Serve, asked: dict[str, Any], field: str) -> None:
    warehouse.add([("a", NOON, {"m": 1.0})])
    answer = serve().get("/records", params=asked)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_injected_sql_is_a_name_like_any_other(warehouse: Warehouse, serve: Serve) -> None:
    warehouse.add([("a'; DROP TABLE events; --", NOON, {"m": 1.0})])
    client = serve()
    assert len(pages(client, device_id="a'; DROP TABLE events; --", **EVER)) == 1
    assert client.get("/records", params={"device_id": "' OR true --"}).status_code == 404


def test_a_token_sees_its_devices_only(warehouse: Warehouse, serve: Serve) -> None:
    warehouse.add([("ward-1", NOON, {"m": 1.0}), ("other", NOON, {"m": 1.0})])
    ward = serve("ward")
    assert len(pages(ward, device_id="ward-1", **EVER)) == 1
    unknown = ward.get("/records", params={"device_id": "nobody"})
    for names in ("other", ["ward-1", "other"], ["ward-1", "nobody"]):
        answer = ward.get("/records", params={"device_id": names, **EVER})
        assert (answer.status_code, answer.content) == (404, unknown.content)
    # A cursor grants nothing: another's is judged like a question that was asked in the open.
    follow = serve("all").get("/records", params={"device_id": ["other", "ward-1"], "limit": 1, **EVER}).json()
    assert ward.get("/records", params={"cursor": follow["next_cursor"]}).status_code == 404


READ = """
SELECT sum(idx_tup_fetch)::int8, sum(seq_tup_read)::int8 FROM pg_stat_user_tables WHERE relname LIKE 'events_2%'
"""


def _untended(warehouse: Warehouse, days: int) -> None:
    """Partitions up to noon that autovacuum doesn't look through: what it reads would count too."""
    last = datetime.fromtimestamp(NOON / MICROS, UTC).date()
    for day in (last - timedelta(days=n) for n in range(days)):
        warehouse.connection.execute("SELECT ensure_event_partitions(%s)", [[day]])
        warehouse.connection.execute(f"ALTER TABLE events_{day:%Y%m%d} SET (autovacuum_enabled = off)".encode())


def test_a_page_reads_by_the_index_what_it_takes(warehouse: Warehouse, serve: Serve) -> None:
    """Though the planner has no figures of any partition."""
    names = [f"dev-{n}" for n in range(5)]
    _untended(warehouse, days=3)
    warehouse.add([(name, NOON - n * 10 * MICROS, {"m": float(n)}) for n in range(20_000) for name in names])
    [before] = warehouse.connection.execute(READ).fetchall()
    client = serve()
    asked: dict[str, Any] = {"from": text(NOON - 200 * DAY), "to": text(NOON + 1), "limit": 100}
    for own in ({"device_id": "dev-1"}, {"device_id": names}, {"device_id": "dev-2", "metric": "m"}):
        assert len(client.get("/records", params={**own, **asked}).json()["rows"]) == 100

    def read() -> tuple[int, int]:
        [now] = warehouse.connection.execute(READ).fetchall()
        return now[0] - before[0], now[1] - before[1]

    wait_for(lambda: sum(read()) >= 300, "the server has told what it read")
    fetched, scanned = read()
    assert scanned == 0
    assert fetched < 1_200
