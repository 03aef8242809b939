"""/devices: who sends what, since when, how late."""

from collections.abc import Callable

import httpx

from tests.integration.api_service.warehouse import MICROS, Warehouse, at

Serve = Callable[..., httpx.Client]
MINUTE = 60 * MICROS


def test_devices_in_order_with_what_they_sent(warehouse: Warehouse, serve: Serve) -> None:
    first = at("2025-05-01T12:00:00")
    warehouse.add([("b/2 ü", first + 250_000, {"z": 1.0, "a": 2.0}), ("b/2 ü", first + MINUTE, {"M": 1.0})])
    warehouse.add([("B", first, {"a": 1.0}), ("a%", first, {})])
    client = serve()
    noon = {"first_seen": "2025-05-01T12:00:00Z", "last_seen": "2025-05-01T12:00:00Z"}
    assert client.get("/devices").json() == {
        "rows": [
            {"device_id": "B", "metrics": ["a"], **noon},
            {"device_id": "a%", "metrics": [], **noon},
            {
                "device_id": "b/2 ü",
                "metrics": ["M", "a", "z"],
                "first_seen": "2025-05-01T12:00:00.250000Z",
                "last_seen": "2025-05-01T12:01:00Z",
            },
        ],
        "next_cursor": None,
    }
    assert client.get("/devices/b%2F2%20%C3%BC").json()["device_id"] == "b/2 ü"
    assert client.get("/devices/b/2 ü").json()["metrics"] == ["M", "a", "z"]


def test_search_finds_a_part_and_takes_nothing_for_a_wildcard(warehouse: Warehouse, serve: Serve) -> None:
    names = ("dev-1", "dev-2", "my-dev", "50%", "a_b")
    warehouse.add([(name, at("2025-05-01T12:00:00"), {"m": 1.0}) for name in names])
    client = serve()

    def search(text: str) -> list[str]:
        return [row["device_id"] for row in client.get("/devices", params={"q": text}).json()["rows"]]

    assert search("dev-") == ["dev-1", "dev-2"]
    assert search("dev") == ["dev-1", "dev-2", "my-dev"]
    assert search("%") == ["50%"]
    assert search("_") == ["a_b"]
    assert search("'; DROP TABLE devices --") == []


def test_pages_of_devices(warehouse: Warehouse, serve: Serve) -> None:
    names = sorted(f"dev-{n}" for n in range(25))
    warehouse.add([(name, at("2025-05-01T12:00:00"), {"m": 1.0}) for name in names])
    client, found = serve(), []
    answer = client.get("/devices", params={"limit": 10, "q": "dev"}).json()
    found += answer["rows"]
    while answer["next_cursor"]:
        answer = client.get("/devices", params={"limit": 10, "cursor": answer["next_cursor"]}).json()
        found += answer["rows"]
    assert [row["device_id"] for row in found] == names


def test_only_the_tokens_devices_are_there(warehouse: Warehouse, serve: Serve) -> None:
    warehouse.add([(name, at("2025-05-01T12:00:00"), {"m": 1.0}) for name in ("ward-1", "ward_2", "Ward-3", "xward-1")])
    ward = serve("ward")
    assert [row["device_id"] for row in ward.get("/devices").json()["rows"]] == ["ward-1"]
    assert ward.get("/devices/ward-1").status_code == 200
    unknown = ward.get("/devices/nobody")
    for other in ("ward_2", "xward-1", "a%00b", ""):
        answer = ward.get(f"/devices/{other}")
        assert (answer.status_code, answer.content) == (404, unknown.content)


def test_lateness_counts_stored_and_pending_late_readings(warehouse: Warehouse, serve: Serve) -> None:
    first = at("2025-05-01T12:00:00")
    warehouse.add([("a", first + n * MINUTE, {"m": 1.0, "n": 2.0}) for n in range(90)])
    warehouse.store(first + 80 * MINUTE, late=1)
    # An hour of two metrics is stored as hours, 20 minutes as minutes: 2 · (1 + 20) rows, each with one late reading.
    body = serve().get("/devices/a").json()
    assert body["lateness"] == {"readings": 160, "late": 42}
    assert body["skew"]["seconds"] < -86_400
    warehouse.add_late([("a", first + 1, {"m": 3.0, "n": 3.0})])
    assert serve().get("/devices/a").json()["lateness"] == {"readings": 162, "late": 44}


def test_a_clock_that_is_ahead_shows_as_skew(warehouse: Warehouse, serve: Serve) -> None:
    row = warehouse.connection.execute("SELECT (extract(epoch FROM now()) * 1000000)::int8").fetchone()
    assert row is not None
    warehouse.add([("a", row[0] + 200 * MICROS, {"m": 1.0})])
    assert 150 < serve().get("/devices/a").json()["skew"]["seconds"] < 200.1
