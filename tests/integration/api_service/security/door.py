"""One API process as it faces the world, on real servers; each of its answers is looked at, whatever a test asks."""

import json
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt

from api_service.auth.signing import OwnKeys, SigningKey
from tests.answering import SECRET, api_settings
from tests.pipeline import Service, running, wait_for
from tests.servers import Database, Topics

HOST = "127.0.0.1"
# Sent wherever a client can send something: it must never come back in an error, nor be in the log.
MARKER = "zq7marker"
# What tells how the service is made.
_INSIDE = re.compile(r"Traceback|psycopg|SELECT |uvicorn|asyncpg|File \"|starlette|confluent|librdkafka|0x[0-9a-f]{6,}")


@dataclass(frozen=True)
class Route:
    """An operation of /openapi.json. `scope`: what a token needs for it, empty: none is asked for."""

    method: str
    path: str
    scope: str
    parameters: tuple[str, ...]
    media_types: tuple[str, ...]

    @property
    def name(self) -> str:
        """As a person says it."""
        return f"{self.method} {self.path}"

    @property
    def writes(self) -> bool:
        """Whether it takes events."""
        return self.scope.startswith("write:")

    def target(self, part: str = "nobody") -> str:
        """Its path with this in place of each of its parameters."""
        return re.sub(r"\{\w+\}", part, self.path)


@dataclass
class Door:
    """The process, a client of it, and its key."""

    service: Service
    port: int
    key: SigningKey
    secrets: set[str]
    client: httpx.Client = field(init=False)
    routes: tuple[Route, ...] = ()

    def __post_init__(self) -> None:
        base, hooks = f"http://{HOST}:{self.port}", {"response": [sound]}
        self.client = httpx.Client(base_url=base, timeout=20, event_hooks=hooks, transport=_Patient())
        self.routes = tuple(_routes(self.client.get("/openapi.json").json()))

    @property
    def guarded(self) -> list[Route]:
        """Routes that ask for a token."""
        return [route for route in self.routes if route.scope]

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Claims that open every route, but for what is given; None leaves one out."""
        scope = " ".join(sorted({route.scope for route in self.guarded}))
        now = int(time.time())
        right = {"iss": "plumbline", "aud": "plumbline", "sub": "prober", "iat": now, "exp": now + 600, "scope": scope}
        return {name: value for name, value in {**right, **changed}.items() if value is not None}

    def token(self, headers: Mapping[str, Any] | None = None, **changed: Any) -> str:
        """Signed with the right key."""
        return self.signed(json.dumps(self.claims(**changed)).encode(), headers)

    def signed(self, payload: bytes, headers: Mapping[str, Any] | None = None) -> str:
        """Any bytes, signed with the right key; the log must never have the signature."""
        head = {"kid": self.key.kid, **(headers or {})}
        made = jwt.api_jws.encode(payload, self.key.private, self.key.algorithm, headers=head)
        self.secrets.add(made.rpartition(".")[2])
        return made

    def ask(self, route: Route, token: str | None = None, part: str = "nobody", **changed: Any) -> httpx.Response:
        """A request that is right but for the token and what is given."""
        given: dict[Any, Any] = dict(changed.pop("headers", {}))
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        if route.writes and route.method == "POST" and "content" not in changed:
            given.setdefault("Content-Type", "application/json")
            changed["content"] = event("prober-1")
        return self.client.request(route.method, route.target(part), headers=given, **changed)

    def connect(self) -> socket.socket:
        """A connection as a program has it that isn't a browser."""
        return socket.create_connection((HOST, self.port), 15)


class _First(httpx.SyncByteStream):
    """What comes first of an answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield next(self._answer.iter_raw())

    def close(self) -> None:
        self._answer.close()


class _Patient(httpx.HTTPTransport):
    """Takes that for the whole of an answer that has no end."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer
        return httpx.Response(answer.status_code, headers=answer.headers, stream=_First(answer))


def event(device: str, at: float | None = None, **metrics: float) -> bytes:
    """An event of now."""
    body = {"device_id": device, "timestamp": at or time.time(), "data_payload": metrics or {"m": 1.0}}
    return json.dumps(body).encode()


def sound(answer: httpx.Response) -> None:
    """What holds for each answer that there is, whoever asked for whatever."""
    answer.read()
    where = (
        f"{answer.request.method} {answer.request.url.path} → {answer.status_code} {answer.headers} {answer.text[:400]}"
    )
    assert answer.status_code != 500, where
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"], where
    assert len(answer.headers.get_list("cache-control")) == 1, where
    assert "server" not in answer.headers, where
    assert "x-powered-by" not in answer.headers, where
    if answer.headers.get("content-type", "").startswith("text/html"):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy, where
        assert "unsafe" not in policy, where
    if answer.status_code >= 400:
        _sound_error(answer, where)


def _sound_error(answer: httpx.Response, where: str) -> None:
    assert answer.headers["cache-control"] == "no-store", where
    if answer.request.method == "HEAD":
        return
    body = answer.json()
    if answer.request.url.path == "/auth/token" and "error" in body:  # RFC 6749 has its own
        assert answer.headers["content-type"] == "application/json", where
    else:
        assert answer.headers["content-type"] == "application/problem+json", where
        assert {"type", "title", "status", "detail"} <= body.keys(), where
        assert body["status"] == answer.status_code, where
    assert _INSIDE.search(answer.text) is None, where
    assert MARKER not in f"{answer.headers} {answer.text}", where
    if answer.status_code in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1, where


def _routes(document: Mapping[str, Any]) -> Iterator[Route]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            scopes = [scope for one in operation.get("security", ()) for scope in one.get("token", ())]
            assert len(scopes) <= 1, path
            parameters = tuple(p["name"] for p in operation.get("parameters", ()) if p["in"] == "query")
            media_types = tuple(operation.get("requestBody", {}).get("content", ()))
            yield Route(method.upper(), path, scopes[0] if scopes else "", parameters, media_types)


@contextmanager
def opened(database: Database, topics: Topics, folder: Path, **settings: object) -> Iterator[Door]:
    """An API process under its own role for the length of the block; its log is read when it has ended."""
    files = api_settings(database, folder)
    environment = {
        **database.environment("api"),
        **topics.environment(),
        "AUTH_SIGNING_KEY_FILE": str(files.auth_signing_key_file),
        "AUTH_CLIENTS_FILE": str(files.auth_clients_file),
        "API_PORT": "0",
        **{name: str(value) for name, value in settings.items()},
    }
    key = OwnKeys(files.auth_signing_key_file).pairs[0]
    with running("api_service", environment) as service:
        wait_for(lambda: service.status is not None or _port(service) is not None, "an API that listens")
        assert service.status is None, service.output()
        secrets = {SECRET, environment["DB_PASSWORD"], key.secret().hex()}
        door = Door(service, _port(service) or 0, key, secrets)
        with closing(door.client):
            wait_for(lambda: door.client.get("/readyz").status_code == 200, "an API that is ready")
            yield door
    log = service.output()
    assert {secret for secret in door.secrets if secret in log} == set(), "a secret is in the log"
    assert MARKER not in log, "input is in the log"
    assert "request_failed" not in log, "something failed and was answered with 500"
    assert "Traceback" not in log


def _port(service: Service) -> int | None:
    found = re.search(r"started.*port\W{1,12}(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", service.output()))
    return int(found[1]) if found else None
