"""The trace id that a client quotes is the one in our log."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from fastapi import Request
from prometheus_client import CollectorRegistry

from api_service import floods, trace_ids
from api_service.app import create_app
from api_service.auth import bearer
from api_service.settings import ApiSettings
from tests.pipeline import wait_for
from tests.unit.api_service.serving import served

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
GOOD = f"00-{TRACE}-00f067aa0ba902b7-01"
Lines = list[structlog.typing.EventDict]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged, with the ids that `log.configure` would add."""

    def identify(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.update(trace_ids.identify())
        return event

    with structlog.testing.capture_logs(processors=[identify]) as captured:
        yield captured


@pytest.fixture
def fresh(settings: ApiSettings) -> Iterator[httpx.Client]:
    with served(create_app(settings, CollectorRegistry())) as client:
        yield client


def logged(lines: Lines, event: str) -> Lines:
    """The lines of this event, once there is one: a request's is written when its answer has gone."""
    wait_for(lambda: any(line["event"] == event for line in lines), event)
    return [line for line in lines if line["event"] == event]


def sign_in(client: httpx.Client) -> None:
    grant = {"grant_type": "client_credentials", "client_id": "analyst", "client_secret": "opensesame"}
    token = client.post("/auth/token", data=grant).json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ([("traceparent", GOOD)], True),
        ([("traceparent", GOOD), ("traceparent", GOOD)], False),
        ([], False),
    ],
)
def test_a_503_has_the_callers_trace_id_or_one_of_its_own(
    fresh: httpx.Client, lines: Lines, headers: list[tuple[str, str]], kept: bool
) -> None:
    sign_in(fresh)
    request = fresh.build_request("GET", "/devices")
    request.headers = httpx.Headers([*request.headers.multi_items(), *headers])
    answer = fresh.send(request)
    assert answer.status_code == 503
    found = answer.json()["trace_id"]
    assert len(bytes.fromhex(found)) == 16
    assert (found == TRACE) == kept
    (line,) = logged(lines, "request_unserved")
    assert (line["trace_id"], line["route"], line["method"]) == (found, "/devices", "GET")


def test_a_500_has_it_too_and_the_log_says_why_without_input(
    fresh: httpx.Client, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(request: Request) -> str:
        raise ValueError(request.url.query)

    sign_in(fresh)
    monkeypatch.setattr(bearer, "client_host", broken)
    answer = fresh.get("/devices?q=secret-input", headers={"traceparent": GOOD})
    assert (answer.status_code, answer.json()["trace_id"]) == (500, TRACE)
    (line,) = logged(lines, "request_failed")
    assert (line["trace_id"], line["error"]) == (TRACE, "ValueError")
    assert "in broken" in line["trace"]
    assert "secret-input" not in json.dumps(line) + answer.text


def test_other_answers_have_none(fresh: httpx.Client) -> None:
    for path in ("/devices", "/none"):
        answer = fresh.get(path, headers={"traceparent": GOOD})
        assert answer.status_code in (401, 404)
        assert "trace_id" not in answer.json()


def test_outside_a_request_there_is_none() -> None:
    assert trace_ids.identify() == {}


def test_a_client_whose_secret_is_wrong_is_logged_and_named_only_if_it_is_known(
    fresh: httpx.Client, lines: Lines
) -> None:

    def ask(**form: Any) -> int:
        return fresh.post("/auth/token", data={"grant_type": "client_credentials", **form}).status_code

    assert ask(client_id="analyst", client_secret="wrong-secret") == 401
    assert ask(client_id="somebody", client_secret="wrong-secret") == 401
    assert fresh.post(
        "/auth/token", data={"grant_type": "client_credentials"}, auth=("ward", "wrong-secret")
    ).status_code == 401  # fmt: skip
    assert ask(client_id="analyst", client_secret="opensesame") == 200
    refused = [line for line in lines if line["event"] == "client_refused"]
    assert [(line["reason"], line["client_id"]) for line in refused] == [
        ("secret", "analyst"),
        ("client", None),
        ("secret", "ward"),
    ]
    assert {line["address"] for line in refused} == {"127.0.0.1"}
    assert not {"wrong-secret", "somebody"} & set(json.dumps(lines, default=str).replace('"', " ").split())


def test_a_flood_of_wrong_secrets_is_summed_up(
    fresh: httpx.Client, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floods, "_WINDOW_S", 0.5)
    form = {"grant_type": "client_credentials", "client_id": "analyst", "client_secret": "x"}
    for _ in range(30):
        assert fresh.post("/auth/token", data=form).status_code == 401
    summed = logged(lines, "repeated")
    alone = [line for line in lines if line["event"] == "client_refused"]
    assert len(alone) + sum(line["count"] for line in summed) >= 30
    assert summed[0]["what"] == "client_refused"
