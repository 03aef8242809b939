"""Parameters that are hostile or too much: 422 that names them, on every route that has some."""

from collections.abc import Callable, Mapping
from urllib.parse import quote

import httpx
import pytest

from tests.integration.api_service.security.door import MARKER, Door, Route
from tests.servers import Database

Note = Callable[[str, str], None]
SQL = [
    "'",
    "' OR 1=1 --",
    "'; DROP TABLE events; --",
    "1; SELECT pg_sleep(5)",
    '"',
    "\\",
    "%",
    "$1",
    "{}",
    "%s",
    "0x41",
]
ODD = ["💥", "\u202e", "x" * 5_000, "١٢", "1e3", "NaN", "Infinity", "-0", "null", "true", "[]", MARKER]
# Values that any text may be: one that isn't known is an empty answer or a 404.
TEXTS = {"device_id", "metric", "q"}


def readers(door: Door) -> list[Route]:
    found = [route for route in door.guarded if route.method == "GET"]
    assert len(found) >= 3
    return found


def get(door: Door, route: Route, params: Mapping[str, str], part: str = "nobody") -> httpx.Response:
    return door.ask(route, door.token(), part=part, params=dict(params))


@pytest.mark.parametrize("text", SQL + ODD)
def test_hostile_text_in_each_parameter(door: Door, note: Note, text: str) -> None:
    for route in readers(door):
        for name in route.parameters:
            answer = get(door, route, {name: text})
            allowed = {422} if text in SQL and name not in TEXTS else {200, 404, 422}
            assert answer.status_code in allowed, (route, name, answer.text)
            assert answer.elapsed.total_seconds() < 3, (route, name)
            if text in SQL:
                note("SQL in parameters", f"{answer.status_code}")


def test_nul_in_each_parameter(door: Door, note: Note) -> None:
    for route in readers(door):
        for name in route.parameters:
            for text in ("\0", "a\0b", "-24h\0"):
                answer = get(door, route, {name: text})
                assert answer.status_code == 422, (route, name, answer.text)
                note("NUL in parameters", "422")


def test_times_spans_and_limits(door: Door, note: Note) -> None:
    for route in readers(door):
        wrong: list[dict[str, str]] = []
        if {"from", "to"} <= set(route.parameters):
            wrong.append({"from": "2025-05-02T00:00:00Z", "to": "2025-05-01T00:00:00Z"})
            wrong.append({"from": "now", "to": "-1h"})
            wrong += [
                {name: text}
                for name in ("from", "to")
                for text in ("2025-05-01", "2025-05-01T00:00:00", "yesterday", "")
            ]
        if "bucket" in route.parameters:
            wrong.append({"from": "1900-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "bucket": "1m"})
        if "limit" in route.parameters:
            wrong += [{"limit": text} for text in ("0", "-1", "1000000000", "9" * 30, "1.5", "", "abc")]
        if "cursor" in route.parameters:
            wrong += [{"cursor": text} for text in ("", "abc", "e30", "A" * 10_000, "../..", "bnVsbA")]
        for params in [*wrong, {MARKER: MARKER}]:
            answer = get(door, route, params)
            about = "NUL, from > to, span or limit too large"
            # A route with a path parameter looks that up first.
            allowed = {422, 404} if "{" in route.path else {422}
            assert answer.status_code in allowed, (route, params, answer.text)
            note(about, f"{answer.status_code}")
            if answer.status_code == 422:
                assert answer.json()["errors"], (route, params)


def test_a_parameter_that_is_there_twice(door: Door) -> None:
    for route in readers(door):
        for name in set(route.parameters) - {"device_id", "metric"}:
            answer = door.client.get(
                f"{route.target()}?{name}=1&{name}=1", headers={"Authorization": f"Bearer {door.token()}"}
            )
            assert answer.status_code == 422, (route, name)


@pytest.mark.parametrize("text", [*SQL, *ODD, "\0", "a/b", "..", "%2e%2e", "a\nb", "A" * 7_000])
def test_hostile_text_in_a_path(door: Door, text: str) -> None:
    for route in readers(door):
        if "{" in route.path:
            answer = get(door, route, {}, part=quote(text, safe=""))
            if answer.url.path == "/":  # a client resolves /ingest/.. itself: that is the page
                continue
            assert answer.status_code == 404, (route, answer.text)


def test_the_tables_are_still_there(door: Door, filled: Database) -> None:
    with filled.connect() as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (6,)
