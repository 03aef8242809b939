"""What the log says of refused tokens: enough to act on, never the token, and never more than a few lines."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog
from fastapi import Request
from prometheus_client import CollectorRegistry

from api_service import floods
from api_service.app import create_app
from api_service.auth.refusals import Refusals
from api_service.floods import plain
from api_service.settings import ApiSettings
from tests.unit.api_service.serving import served

Forge = Callable[..., str]
Lines = list[structlog.typing.EventDict]


@pytest.fixture
def lines() -> Iterator[Lines]:
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.fixture
def fresh(lines: Lines, settings: ApiSettings) -> Iterator[httpx.Client]:
    with served(create_app(settings, CollectorRegistry())) as client:
        yield client


def ask(client: httpx.Client, token: str) -> int:
    return client.get("/devices/dev-1", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_refused_token_is_logged_by_reason_and_place_without_itself(
    fresh: httpx.Client, lines: Lines, forge: Forge
) -> None:
    expired, unscoped, forged = forge(exp=int(time.time()) - 100), forge(scope="x"), forge(sub="root")[:-6] + "AAAAAA"
    assert [ask(fresh, token) for token in (expired, unscoped, forged, "garbage")] == [401, 403, 401, 401]
    refused = [line for line in lines if line["event"] == "token_refused"]
    assert [line["reason"] for line in refused] == ["expired", "scope", "signature", "malformed"]
    # Whom it names is known only where the signature is right.
    assert [line.get("subject") for line in refused] == ["analyst", "analyst", None, None]
    for line in refused:
        assert (line["address"], line["route"]) == ("127.0.0.1", "/devices/{device_id:path}")
        assert len(line["token_sha256"]) == 16
    text = repr(lines)
    for token in (expired, unscoped, forged):
        assert not any(part in text for part in token.split("."))


def test_a_request_without_a_token_is_none_that_was_refused(fresh: httpx.Client, lines: Lines) -> None:
    assert fresh.get("/devices").status_code == 401
    assert not [line for line in lines if line["event"] == "token_refused"]


def test_a_flood_is_summed_up(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floods, "_WINDOW_S", 0.05)

    async def scenario() -> None:
        log = Refusals()
        for n in range(5_000):
            log.note(request(f"10.0.{n % 300}.1"), "malformed", "x")
        log.note(request("10.1.1.1"), "expired", "x", kid="a\nb" * 100, subject="é")
        async with asyncio.timeout(5):
            while len(lines) < 7:  # noqa: ASYNC110  the loop's timer
                await asyncio.sleep(0.01)
        log.note(request("10.1.1.1"), "malformed", "x")

    asyncio.run(scenario())
    assert [line["event"] for line in lines] == ["token_refused"] * 6 + ["repeated", "token_refused"]
    assert lines[5]["kid"] == "a?ba?b" * 10 + "a?ba"
    assert lines[5]["subject"] == "?"
    summed = lines[6]
    assert (summed["what"], summed["reason"]) == ("token_refused", "malformed")
    assert (summed["count"], summed["addresses"]) == (4_995, 100)


@pytest.mark.parametrize(("given", "logged"), [("key-1", "key-1"), ("a b\x1b[31m", "a?b??31m"), ("x" * 500, "x" * 64)])
def test_what_others_chose_is_made_plain(given: str, logged: str) -> None:
    assert plain(given) == logged


def request(address: str) -> Request:
    scope: dict[str, Any] = {"type": "http", "client": (address, 1), "headers": []}
    return Request(scope)
