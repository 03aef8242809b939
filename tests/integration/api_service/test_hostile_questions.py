"""Whatever is asked, the answer is rows or an error that names its cause: never a 500."""

import random
from collections.abc import Callable
from urllib.parse import quote

import httpx

from api_service.query import cursor
from api_service.query.cursor import Cursor
from tests.integration.api_service.warehouse import MICROS, Warehouse, at

Serve = Callable[..., httpx.Client]

START = at("2025-05-01T00:00:00")
TIMES = ["now", "-24h", "0", "-1", "1746057600", "1746057600.123456", "1746057600000", "-9999999w", "-0.5", "∞", ""]
TIMES += ["2025-05-01T00:00:00.9999999+23:59", "1900-01-01T00:00:00Z", "2199-12-31T23:59:59Z", "9" * 25]
HOSTILE = [
    "'",
    '"',
    "\\",
    "%",
    "%00",
    "\0",
    "a\0b",
    "*",
    "' OR 1=1 --",
    "; DROP TABLE events",
    "💥",
    "\u202e",
    "x" * 5000,
]
VALUES = {
    "device_id": ["a", "b", "nobody", *HOSTILE],
    "metric": ["m", "n", "none", *HOSTILE],
    "from": [*TIMES, *HOSTILE],
    "to": [*TIMES, *HOSTILE],
    "bucket": ["none", "1w", "auto", "1m", "7m", "1h", "1d", "1440m", "0h", *HOSTILE],
    "tz": ["UTC", "Europe/Berlin", "Pacific/Apia", "Africa/Monrovia", "America/St_Johns", "Etc/GMT+12", *HOSTILE],
    "percentiles": ["0", "100", "50,50.0", "33.333333", "1e3", *HOSTILE],
    "group": ["device", "none", *HOSTILE],
    "fill": ["null", "none", *HOSTILE],
    "limit": ["1", "1000", "0", *HOSTILE],
    "cursor": HOSTILE,
    "q": ["a", *HOSTILE],
}


def fill(warehouse: Warehouse) -> None:
    warehouse.add([(device, START + n * 30 * MICROS, {"m": float(n)}) for device in ("a", "b") for n in range(200)])
    warehouse.store(START + 3_600 * MICROS)


def test_random_questions(warehouse: Warehouse, serve: Serve) -> None:
    fill(warehouse)
    client, rng = serve(), random.Random(11)
    seen = set()
    for _ in range(400):
        path = rng.choice(["/stats", "/stats", "/stats", "/devices"])
        names = rng.sample(sorted(VALUES), rng.randrange(1, 4))
        query = "&".join(f"{name}={quote(rng.choice(VALUES[name][: rng.choice([8, 99])]))}" for name in names)
        answer = client.get(f"{path}?{query}", headers={"Accept": rng.choice(["*/*", "text/csv", "application/json"])})
        assert answer.status_code in (200, 404, 422), (path, query, answer.text)
        seen.add(answer.status_code)
    assert seen == {200, 404, 422}


def test_cursors_that_nobody_was_given(warehouse: Warehouse, serve: Serve) -> None:
    fill(warehouse)
    client, rng = serve(), random.Random(12)
    for _ in range(200):
        pairs = [(name, rng.choice(VALUES[name])[:100]) for name in rng.sample(sorted(VALUES), rng.randrange(4))]
        cut = rng.randrange(len(pairs) + 1)
        start = rng.choice([0, START, 2**62, -(2**62)])
        after = (rng.choice(["a", "z", "", "\0", "💥"]), rng.choice(["m", "", "'"]), start)
        route = rng.choice(["stats", "devices"])
        forged = cursor.encode(Cursor(route, tuple(pairs[:cut]), tuple(pairs[cut:]), after))
        answer = client.get(f"/{rng.choice([route, 'stats'])}", params={"cursor": forged})
        assert answer.status_code in (200, 404, 422), (pairs, after, answer.text)


def test_hostile_device_ids_in_the_path(warehouse: Warehouse, serve: Serve) -> None:
    fill(warehouse)
    client = serve()
    unknown = client.get("/devices/nobody")
    for text in HOSTILE:
        answer = client.get(f"/devices/{quote(text)}")
        assert (answer.status_code, answer.content) == (404, unknown.content), text
