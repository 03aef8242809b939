"""The documentation page holds to its policy, and the description is whole."""

import re
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from api_service.app import create_app
from api_service.settings import ApiSettings
from tests.unit.api_service.serving import served


def test_the_page_loads_from_here_only_and_has_nothing_inline(client: httpx.Client) -> None:
    page = client.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    for directive in ("default-src", "base-uri", "frame-ancestors"):
        assert directive in policy
    assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son[a-z]+=", page.text)
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert path.startswith("/")
        file = client.get(path)
        assert file.status_code == 200
        assert file.headers["x-content-type-options"] == "nosniff"
    assert client.get("/docs/../settings.py").status_code == 404
    assert client.get("/docs/LICENSE.md").headers["content-type"] == "application/problem+json"


@pytest.fixture(scope="module")
def document(settings: ApiSettings) -> dict[str, Any]:
    """Of all modules; nothing listens where Kafka should."""
    whole = {"api_modules": "auth,gateway,query", "kafka_bootstrap_servers": "127.0.0.1:1"}
    with served(create_app(settings.model_copy(update=whole), CollectorRegistry())) as client:
        return dict(client.get("/openapi.json").json())


def test_every_route_is_described_with_an_example(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == {
        *("/auth/token", "/.well-known/jwks.json", "/stats", "/devices", "/devices/{device_id}", "/records"),
        *("/ingest", "/ingest/{receipt}", "/vital-data", "/check-buffer", "/healthz", "/readyz"),
        *("/stats/stream", "/pipeline"),
    }
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            (done,) = (answer for status, answer in operation["responses"].items() if status.startswith("2"))
            assert all("example" in of_type for of_type in done["content"].values()), path
            assert all("content" in answer for status, answer in operation["responses"].items() if status >= "400"), (
                path
            )


def test_every_member_of_a_statistics_row_is_defined(document: dict[str, Any]) -> None:
    operation = document["paths"]["/stats"]["get"]
    row = operation["responses"]["200"]["content"]["application/json"]["example"]["rows"][0]
    text = operation["description"]
    for member in set(row) - {"device_id", "metric", "p90", "p95", "p99"}:
        assert f"`{member}`" in text, member
    assert {parameter["name"] for parameter in operation["parameters"]} >= {"device_id", "from", "cursor"}
    assert operation["security"] == [{"token": ["read:stats"]}]
