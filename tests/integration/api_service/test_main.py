"""`python -m api_service` as a user meets it: what it prints, and its exit status."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from api_service.settings import ApiSettings
from tests.faults.readiness import free_port
from tests.servers import Database


@pytest.fixture
def environment(settings: ApiSettings, database: Database) -> dict[str, str]:
    files = {"AUTH_SIGNING_KEY_FILE": settings.auth_signing_key_file, "AUTH_CLIENTS_FILE": settings.auth_clients_file}
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    own = {**database.environment("api"), "API_MODULES": settings.api_modules}
    return inherited | own | {name: str(value) for name, value in files.items()}


def run(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "api_service", *arguments]
    return subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def running(environment: Mapping[str, str], log: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    port = free_port()
    command = [sys.executable, "-m", "api_service"]
    with log.open("wb") as output, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        process = subprocess.Popen(command, env={**environment, "API_PORT": str(port)}, stderr=output)
        try:
            deadline = time.monotonic() + 60
            while not _answers(client):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline
            yield process, client
        finally:
            process.kill()
            process.wait(10)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.ConnectError:
        return False


def test_sigterm_ends_it_with_0_and_no_token_is_in_the_log(environment: dict[str, str], tmp_path: Path) -> None:
    with running(environment, tmp_path / "log") as (process, client):
        grant = {"grant_type": "client_credentials"}
        token = client.post("/auth/token", data=grant, auth=("all", "opensesame")).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert client.get("/stats", headers=headers).status_code == 200
        assert client.get("/stats", params={"access_token": token}).status_code == 400
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    log = (tmp_path / "log").read_text()
    assert '"event": "started"' in log
    assert token not in log
    assert token.split(".")[2] not in log
    assert "opensesame" not in log
    assert environment["DB_PASSWORD"] not in log


def test_a_port_that_is_taken(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run({**environment, "API_PORT": str(port)})
    assert ended.returncode == 78
    assert ended.stderr == (
        f"API_PORT: 127.0.0.1:{port}: Address already in use → stop what listens there, or choose another\n"
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"API_MODULES": "auth,pages"},
            "API_MODULES: there is no module pages → choose from: auth, gateway, query, web",
        ),
        ({"AUTH_SIGNING_KEY_FILE": "/nowhere/key.pem"}, "AUTH_SIGNING_KEY_FILE: /nowhere/key.pem: No such file"),
        ({"JWT_ISSUER": "login.example"}, "JWT_ISSUER: is no URL"),
        ({"JWT_ISSUER": "http://login.example"}, "JWT_ISSUER: is not https"),
        ({"JWT_JWKS_URL": "https://login.example/keys"}, "JWT_JWKS_URL: JWT_ISSUER is not set → set it to the iss of"),
        ({"JWT_ISSUER": "me", "JWT_JWKS_URL": "http://login.example/keys"}, "JWT_JWKS_URL: is not https"),
        ({"JWT_ALGORITHMS": "RS256,HS256"}, "JWT_ALGORITHMS: can't be HS256 → choose from ES256, "),
        ({"JWT_ALGORITHMS": "none"}, "JWT_ALGORITHMS: can't be none → choose from "),
        ({"API_PORT": "eighty"}, "API_PORT: "),
    ],
)
def test_wrong_settings(environment: dict[str, str], changed: dict[str, str], message: str) -> None:
    ended = run({**environment, **changed})
    assert (ended.returncode, ended.stdout) == (78, "")
    assert ended.stderr.startswith(message)
    assert ended.stderr.count("\n") == 1
    assert "→" in ended.stderr


def test_help_names_every_setting(environment: dict[str, str]) -> None:
    ended = run(environment, "--help")
    assert ended.returncode == 0
    for name in ApiSettings.model_fields:
        assert name.upper() in ended.stdout
