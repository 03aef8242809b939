"""Postgres away: 503 within a second, for each of many requests at once; the API recovers by itself."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from structlog.testing import capture_logs

from api_service.settings import ApiSettings
from shared.db import RECONNECT_S
from tests.integration.api_service.warehouse import Warehouse, at
from tests.proxy import Proxy, proxied

Serve = Callable[..., httpx.Client]
ASK = "/stats?from=2025-05-01T00:00:00Z&to=2025-05-01T01:00:00Z&bucket=none"


@pytest.fixture
def proxy(settings: ApiSettings) -> Iterator[Proxy]:
    with proxied(settings.db_host, settings.db_port) as made:
        yield made


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def all_unavailable(client: httpx.Client) -> None:
    # More at once than the pool and its waiting line take.
    with ThreadPoolExecutor(100) as threads:
        answers = list(threads.map(lambda _: client.get(ASK), range(100)))
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["content-type"] == "application/problem+json"
        assert "psycopg" not in answer.text
    slowest = max(answer.elapsed.total_seconds() for answer in answers)
    assert slowest < 3.0  # a second, and the time of 100 requests at once on a busy machine


def test_refused_connections(warehouse: Warehouse, serve: Serve, proxy: Proxy) -> None:
    warehouse.add([("a", at("2025-05-01T00:30:00"), {"m": 1.0})])
    client = serve(db_host="127.0.0.1", db_port=proxy.port)
    assert client.get(ASK).status_code == 200
    proxy.cut()
    all_unavailable(client)
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200
    assert client.get("/.well-known/jwks.json").status_code == 200
    proxy.restore()
    until(lambda: client.get("/readyz").status_code == 200)
    assert client.get(ASK).json()["rows"][0]["count"] == 1


def test_a_database_that_is_away_for_longer_than_the_pool_goes_on_trying(
    warehouse: Warehouse, serve: Serve, proxy: Proxy
) -> None:
    warehouse.add([("a", at("2025-05-01T00:30:00"), {"m": 1.0})])
    client = serve(db_host="127.0.0.1", db_port=proxy.port)
    assert client.get(ASK).status_code == 200
    proxy.cut()
    given_up = time.monotonic() + RECONNECT_S + 1
    while time.monotonic() < given_up:  # so many that its line is full
        all_unavailable(client)
    proxy.restore()
    until(lambda: client.get("/readyz").status_code == 200)
    until(lambda: client.get(ASK).status_code == 200)


def test_a_database_that_hangs(warehouse: Warehouse, serve: Serve, proxy: Proxy) -> None:
    warehouse.add([("a", at("2025-05-01T00:30:00"), {"m": 1.0})])
    client = serve(db_host="127.0.0.1", db_port=proxy.port)
    assert client.get(ASK).status_code == 200
    proxy.freeze()
    all_unavailable(client)
    proxy.thaw()
    until(lambda: client.get(ASK).status_code == 200)


def test_connections_that_broke_while_idle_cost_no_request(warehouse: Warehouse, serve: Serve, proxy: Proxy) -> None:
    client = serve(db_host="127.0.0.1", db_port=proxy.port)
    assert client.get(ASK).status_code == 200
    proxy.cut()
    proxy.restore()
    assert client.get(ASK).status_code == 200


def test_a_query_that_takes_too_long_is_given_up(warehouse: Warehouse, serve: Serve) -> None:
    client = serve(stats_timeout_seconds=0.3)
    with warehouse.connection.transaction():
        warehouse.connection.execute("LOCK TABLE dirty IN ACCESS EXCLUSIVE MODE")
        warehouse.add([("a", at("2025-05-01T00:30:00"), {"m": 1.0})])
    warehouse.connection.execute("BEGIN")
    warehouse.connection.execute("LOCK TABLE dirty IN ACCESS EXCLUSIVE MODE")
    answer = client.get(ASK)
    warehouse.connection.execute("ROLLBACK")
    assert answer.status_code == 503
    assert "too long" in answer.json()["detail"]
    assert client.get(ASK).status_code == 200


def test_a_database_without_a_schema_is_not_ready(warehouse: Warehouse, serve: Serve) -> None:
    client = serve()
    warehouse.connection.execute("ALTER TABLE materialized RENAME TO gone")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "shared.migrations" in answer.json()["errors"][0]["detail"]
    with capture_logs() as logs:
        failed = client.get(ASK)
        until(lambda: any(line["event"] == "request_failed" for line in logs))
    assert failed.status_code == 500
    assert "materialized" not in failed.text
    (line,) = [line for line in logs if line["event"] == "request_failed"]
    assert "materialized" in line["trace"]
    assert client.headers["Authorization"].removeprefix("Bearer ") not in str(logs)
