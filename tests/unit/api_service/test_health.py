"""Readiness by dependency, and modules that are served alone: what they don't need they never contact."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from prometheus_client import CollectorRegistry

from api_service import health
from api_service.app import create_app
from api_service.settings import ApiSettings
from tests.unit.api_service.serving import served


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setblocking(False)
        yield made


def contacted(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@contextmanager
def alone(settings: ApiSettings, modules: str, listener: socket.socket) -> Iterator[httpx.Client]:
    """A process of these modules, whose Kafka and database are that listener."""
    port = listener.getsockname()[1]
    changed = {"api_modules": modules, "db_port": port, "kafka_bootstrap_servers": f"127.0.0.1:{port}"}
    with served(create_app(settings.model_copy(update=changed), CollectorRegistry())) as client:
        yield client


def troubled(client: httpx.Client) -> list[str]:
    """What isn't ready; told within a second: two looks, one after the other, would take 1.8 s."""
    answer = client.get("/readyz")
    assert answer.elapsed.total_seconds() < 1.7
    assert all("→" in error["detail"] for error in answer.json().get("errors", []))
    return [error["field"] for error in answer.json().get("errors", [])]


def test_auth_alone_needs_nothing(settings: ApiSettings, listener: socket.socket) -> None:
    with alone(settings, "auth", listener) as client:
        assert client.get("/readyz").json() == {"status": "ready", "checks": {}}
        assert client.get("/stats").status_code == 404
    assert not contacted(listener)


def test_the_gateway_alone_contacts_no_database(
    settings: ApiSettings, listener: socket.socket, forge: Callable[..., str]
) -> None:
    changed = {"kafka_bootstrap_servers": "127.0.0.1:1", "db_port": listener.getsockname()[1], "api_modules": "gateway"}
    with served(create_app(settings.model_copy(update=changed), CollectorRegistry())) as client:
        assert troubled(client) == ["kafka"]
        assert client.get("/healthz").status_code == 200
        event = {"device_id": "a", "timestamp": time.time(), "data_payload": {"x": 1}}
        headers = {"Authorization": f"Bearer {forge(scope='write:readings')}"}
        assert client.post("/ingest", json=event, headers=headers).status_code == 503
        assert client.get("/auth/token").status_code == 404
    assert not contacted(listener)


def test_questions_alone_contact_no_kafka(settings: ApiSettings, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    changed = {"kafka_bootstrap_servers": f"127.0.0.1:{port}", "api_modules": "query"}
    with served(create_app(settings.model_copy(update=changed), CollectorRegistry())) as client:
        assert troubled(client) == ["database"]
        assert client.post("/ingest").status_code == 404
    assert not contacted(listener)


def test_everything_that_is_away_is_named(settings: ApiSettings, listener: socket.socket) -> None:
    with alone(settings, "auth,gateway,query", listener) as client:
        assert sorted(troubled(client)) == ["database", "kafka"]
        assert client.get("/healthz").status_code == 200


async def _hangs() -> str | None:
    await asyncio.sleep(60)
    return None


async def _is_there() -> str | None:
    return None


def test_checks_that_hang_hang_together() -> None:
    checks = {"one": _hangs, "two": _is_there, "three": _hangs}
    began = time.monotonic()
    found = asyncio.run(health.Readiness(checks).found())
    assert time.monotonic() - began < 1.7
    assert [name for name, trouble in found.items() if trouble] == ["one", "three"]


def test_many_who_ask_at_once_share_a_look() -> None:
    looks = 0

    async def check() -> str | None:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.05)
        return None

    async def run() -> None:
        readiness = health.Readiness({"one": check})
        assert await asyncio.gather(*(readiness.found() for _ in range(20))) == [{"one": None}] * 20
        assert looks == 1
        await readiness.found()

    asyncio.run(run())
    assert looks == 2
