"""The security table's rows of tokens, each on every route that asks for one."""

import json
import socket
import time
from collections.abc import Callable, Mapping

import httpx
import pytest

from tests.integration.api_service.security import forged
from tests.integration.api_service.security.conftest import OTHER, OWN
from tests.integration.api_service.security.door import MARKER, Door, Route, event

Note = Callable[[str, str], None]
REALM = 'Bearer realm="plumbline"'
INVALID = f'{REALM}, error="invalid_token"'
OPEN = {"GET /healthz", "GET /readyz", "POST /auth/token", "GET /.well-known/jwks.json"}


def seen(answer: httpx.Response) -> str:
    """Status and challenge."""
    return f"{answer.status_code} {answer.headers.get('www-authenticate', '')}".rstrip()


def everywhere(door: Door, note: Note, row: str, cases: Mapping[str, str], expected: str) -> None:
    """Each token on each route."""
    wrong = {}
    for name, token in cases.items():
        for route in door.guarded:
            headers = {b"Authorization": f"Bearer {token}".encode()}
            found = seen(door.ask(route, headers=headers))
            note(row, found)
            if found != expected:
                wrong[f"{route.name}: {name}"] = found
    assert wrong == {}


def test_every_route_but_a_few_asks_for_a_token(door: Door) -> None:
    assert {route.name for route in door.routes if not route.scope} == OPEN
    assert len(door.guarded) >= 3
    assert {route.scope for route in door.guarded} <= {"write:readings", "read:records", "read:stats"}


def test_a_right_token_is_let_through(door: Door) -> None:
    now = int(time.time())
    tokens = [
        door.token(),
        door.token(exp=now - 20),
        door.token(nbf=now + 20, iat=now + 20),
        door.token(aud=["x", "plumbline"]),
    ]
    answers = [_about(door, route, token, OWN) for route in door.guarded for token in tokens]
    assert {answer.status_code for answer in answers} <= {200, 202, 404}


@pytest.mark.parametrize("value", [None, "", "Basic YTpi", "Digest x", "Bearer", "Token zq7marker", "Bearer\tx.y.z"])
def test_no_header_or_another_scheme(door: Door, note: Note, value: str | None) -> None:
    headers = {} if value is None else {"Authorization": value}
    found = {route.name: seen(door.ask(route, headers=headers)) for route in door.guarded}
    for each in found.values():
        note("no header; another scheme", each)
    assert set(found.values()) <= {f"401 {REALM}", f"401 {INVALID}" if (value or "").startswith("Bearer") else ""}, (
        found
    )


def test_a_token_twice_or_in_the_query_string(door: Door, note: Note) -> None:
    token = door.token()
    one = ("Authorization", f"Bearer {token}")
    ways: list[tuple[list[tuple[str, str]], dict[str, str]]] = [
        ([one, one], {}),
        ([one, ("Authorization", "Basic YTpi")], {}),
        ([("Authorization", f"Bearer {token}, Bearer {token}")], {}),
        ([], {"access_token": token}),
        ([one], {"access_token": token}),
        ([one], {"access_token": ""}),
    ]
    found = {}
    for route in door.guarded:
        for number, (headers, params) in enumerate(ways):
            body = {"content": event("prober-1")} if route.method == "POST" else {}
            given = [*headers, *([("Content-Type", "application/json")] if body else [])]
            answer = door.client.request(route.method, route.target(), headers=given, params=params, **body)  # type: ignore[arg-type]
            assert token not in answer.text
            found[f"{route.name} {number}"] = seen(answer)
            note("token twice, or in the query string", found[f"{route.name} {number}"])
    assert set(found.values()) == {f'400 {REALM}, error="invalid_request"'}, found


def test_garbage(door: Door, note: Note) -> None:
    everywhere(door, note, "garbage", forged.garbage(), f"401 {INVALID}")


def test_algorithms_and_keys_that_are_not_the_issuers(door: Door, note: Note) -> None:
    everywhere(door, note, "alg none; HS256 with the public key; wrong key", forged.wrong_keys(door), f"401 {INVALID}")


def test_headers_that_bring_or_point_at_a_key_cause_no_call(door: Door, note: Note) -> None:
    with socket.create_server(("127.0.0.1", 0)) as attacker:
        url = f"http://127.0.0.1:{attacker.getsockname()[1]}/{MARKER}"
        everywhere(door, note, "unknown crit; jku, x5u, jwk in the header", forged.headers(door, url), f"401 {INVALID}")
        attacker.settimeout(0.3)
        with pytest.raises(TimeoutError):
            attacker.accept()
        note("unknown crit; jku, x5u, jwk in the header", "no outbound call")


def test_headers_and_claims_of_3000_levels(door: Door, note: Note) -> None:
    everywhere(door, note, "3,000-deep header", forged.deep(door), f"401 {INVALID}")


def test_claims_that_are_missing_ill_typed_or_out_of_time(door: Door, note: Note) -> None:
    row = "missing or ill-typed exp, iss, aud, sub; expired; nbf/iat in the future; wrong aud or iss"
    everywhere(door, note, row, dict(forged.claims(door)), f"401 {INVALID}")


@pytest.mark.parametrize("scope", ["others", None, "", "upper", ["list"], 5, "prefix"])
def test_a_scope_that_is_missing(door: Door, note: Note, scope: object) -> None:
    every = {route.scope for route in door.guarded} | {"read:everything"}
    for route in door.guarded:
        texts = {"others": " ".join(every - {route.scope}), "upper": route.scope.upper(), "prefix": route.scope + "s"}
        given = texts.get(scope, scope) if isinstance(scope, str) else [route.scope] if scope else scope
        answer = door.ask(route, door.token(scope=given))
        note("scope missing", seen(answer).replace(route.scope, "…"))
        assert seen(answer) == f'403 {REALM}, error="insufficient_scope", scope="{route.scope}"', (route, given)


def test_anothers_device_is_the_same_bytes_as_an_unknown_one(door: Door, note: Note) -> None:
    token = door.token(devices=["ward-*"])
    asked = [route for route in door.guarded if "device_id" in route.parameters or "{device_id}" in route.path]
    assert {"/devices/{device_id}", "/stats"} <= {route.path for route in asked}
    for route in asked:
        answers = {device: _about(door, route, token, device) for device in (OWN, OTHER, "nobody")}
        assert answers[OWN].status_code == 200, route
        assert _bytes(answers[OTHER]) == _bytes(answers["nobody"]), route
        assert answers[OTHER].status_code == 404, route
        assert _about(door, route, door.token(), OTHER).status_code == 200, route
        note("another's device", f"{answers[OTHER].status_code}, the same bytes as for an unknown one")


def _about(door: Door, route: Route, token: str, device: str) -> httpx.Response:
    span = {"from": "2025-05-01T00:00:00Z", "to": "2025-05-02T00:00:00Z"}
    params = {name: value for name, value in {**span, "device_id": device}.items() if name in route.parameters}
    return door.ask(route, token, part=device, params=params)


def _bytes(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status_code, answer.content, headers


def test_a_list_never_tells_of_anothers_device(door: Door, note: Note) -> None:
    lists = [
        route
        for route in door.guarded
        if route.method == "GET" and "{" not in route.path and route.path not in ("/check-buffer", "/stats/stream")
    ]
    for devices, expected in ((["ward-*"], {OWN}), ([], set()), ("ward-1", set()), ([7], set()), ({}, set())):
        token = door.token(devices=devices)
        for route in lists:
            params = (
                {"from": "2025-05-01T00:00:00Z", "to": "2025-05-02T00:00:00Z"} if "from" in route.parameters else {}
            )
            answer = door.ask(route, token, params=params)
            if answer.status_code == 200:
                told = {row["device_id"] for row in answer.json()["rows"]}
                assert told == expected, (route, devices)
                note("a list, with a token for some devices", "own devices only")
            elif answer.status_code == 403:  # one that adds up all devices
                assert answer.json()["code"] == "forbidden_device", (route, devices)
            else:  # one that must name a device
                assert answer.status_code in (404, 422), (route, devices, answer.text)


def test_devices_that_are_null_or_ill_typed_grant_nothing(door: Door, note: Note) -> None:
    for devices in (None, "*", 7, [None], {"*": 1}, [["*"]]):
        token = door.signed(json.dumps({**door.claims(), "devices": devices}).encode())
        for route in door.guarded:
            if "{device_id}" in route.path:
                assert door.ask(route, token, part=OWN).status_code == 404, (route, devices)
            elif route.writes and route.method == "POST":
                answer = door.ask(route, token)
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_device"), (route, devices)
                note("devices null or ill-typed", "403 forbidden_device on writing")


def test_anothers_receipt_is_the_same_bytes_as_a_forged_one(door: Door, note: Note) -> None:
    send = next(route for route in door.routes if route.name == "POST /ingest")
    look = next(route for route in door.routes if route.name == "GET /ingest/{receipt}")
    receipt = door.ask(send, door.token(sub="one")).json()["receipt"]
    assert door.ask(look, door.token(sub="one"), part=receipt).status_code == 200
    unknown = _bytes(door.ask(look, door.token(sub="other"), part="nothing"))
    assert unknown[0] == 404
    for text in (receipt, receipt[:-1], receipt + "A", receipt.swapcase(), "A" * 9_000, "=", "é", MARKER):
        assert _bytes(door.ask(look, door.token(sub="other"), part=text)) == unknown
    for text in (receipt[:-1], receipt + "A", "A" + receipt[1:]):
        assert _bytes(door.ask(look, door.token(sub="one"), part=text)) == unknown
    note("another's receipt", "404, the same bytes as for a forged one")
