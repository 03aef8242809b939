"""What every answer has in common, health, and the wiring."""

import httpx
import pytest
from prometheus_client import CollectorRegistry

from api_service.app import create_app
from api_service.settings import ApiSettings
from shared.errors import ConfigurationError


def test_alive_without_a_database_but_not_ready(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.elapsed.total_seconds() < 2.5  # a second, on a busy machine
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["errors"][0]["field"] == "database"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/auth/token", 405)])
def test_errors_are_problem_details_that_echo_nothing(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path + "?x=%3Cscript%3E")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert "script" not in answer.text
    assert ("allow" in answer.headers) == (status == 405)


def test_requests_are_counted_by_route_not_by_path(client: httpx.Client, registry: CollectorRegistry) -> None:
    def count(route: str, status: str) -> float:
        labels = {"method": "GET", "route": route, "status": status}
        return registry.get_sample_value("plumbline_api_requests_total", labels) or 0.0

    before = count("/healthz", "200"), count("", "404")
    client.get("/healthz")
    client.get("/secret-name")
    assert (count("/healthz", "200"), count("", "404")) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("modules", ["auth,gatewayy", "pages", " , "])
def test_an_unknown_module_is_a_configuration_error(settings: ApiSettings, modules: str) -> None:
    with pytest.raises(ConfigurationError, match=r"API_MODULES: .* → choose from: auth"):
        create_app(settings.model_copy(update={"api_modules": modules}), CollectorRegistry())
