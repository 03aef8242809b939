"""The built-in issuer's files change while the API runs: it follows, and keeps what it had where that can't be used."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry

from api_service.app import create_app
from api_service.auth import clients
from api_service.auth.signing import OwnKeys, ring
from api_service.auth.watched import Watched
from api_service.settings import ApiSettings
from shared.errors import ConfigurationError
from tests.unit.api_service.conftest import pem
from tests.unit.api_service.identity import P256, RSA
from tests.unit.api_service.serving import served

NEW = pem(ec.generate_private_key(ec.SECP256R1()))
EC_PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"


def put(file: Path, content: bytes) -> None:
    """As commands do it: whole, or not at all."""
    beside = file.with_name("new")
    beside.write_bytes(content)
    beside.replace(file)


def test_the_first_key_signs_and_all_are_published(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(b"# signs since today\n" + pem(RSA) + b"# before\n" + EC_PARAMETERS + pem(P256))
    first, second = ring(file).pairs
    assert (first.algorithm, second.algorithm) == ("RS256", "ES256")
    public = ring(file).public
    assert public.find(first.kid, "RS256") is not None
    assert public.find(second.kid, "ES256") is not None
    assert public.find(first.kid, "PS256") is None
    assert "d" not in first.jwk()


def test_a_file_with_a_key_twice_or_a_broken_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    for content in (pem(RSA) * 2, pem(RSA) + pem(ec.generate_private_key(ec.SECP384R1()))):
        file.write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"AUTH_SIGNING_KEY_FILE: .* → "):
            ring(file)
    file.write_bytes(pem(RSA) + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(ConfigurationError, match="holds no PEM private key"):
        ring(file)


def test_a_file_is_read_again_when_it_changed_and_at_most_once_a_second(tmp_path: Path) -> None:
    file, now, reads = tmp_path / "file", 0.0, 0

    def load(path: Path) -> str:
        nonlocal reads
        reads += 1
        text = path.read_text()
        if text == "bad":
            raise ConfigurationError("FILE: it is bad → mend it")
        return text

    async def scenario() -> None:
        nonlocal now
        file.write_text("one")
        watched = Watched(file, load, lambda: now)
        put(file, b"two")
        assert await watched.look() == "one"
        now += 1
        assert await watched.look() == "two"
        now += 1
        assert await watched.look() == "two"
        assert reads == 2
        with structlog.testing.capture_logs() as logs:
            for content in (b"bad", None, None):
                if content is not None:
                    put(file, content)
                now += 1
                assert await watched.look() == "two"
            assert [(line["log_level"], line["problem"]) for line in logs] == [("error", "FILE: it is bad → mend it")]
        put(file, b"three")
        now += 1
        assert await watched.look() == "three"

    asyncio.run(scenario())


def test_a_link_that_is_swapped_counts_as_a_change(tmp_path: Path) -> None:
    """Secrets that a cluster mounts change so."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    link, beside, now = tmp_path / "link", tmp_path / "beside", 0.0
    link.symlink_to("a")
    watched = Watched(link, Path.read_text, lambda: now)
    beside.symlink_to("b")
    beside.replace(link)
    now += 1
    assert asyncio.run(watched.look()) == "b"


def test_another_process_may_sign_with_a_new_key_before_we_noticed(tmp_path: Path) -> None:
    async def scenario() -> None:
        file = tmp_path / "key.pem"
        file.write_bytes(pem(P256))
        keys = OwnKeys(file)
        assert await keys.newer() is keys.current()
        put(file, NEW + pem(P256))
        async with asyncio.timeout(5):
            while len((await keys.newer()).keys) < 2:  # noqa: ASYNC110  the first second is spared
                await asyncio.sleep(0.02)
        assert keys.pairs[0].kid == ring(file).pairs[0].kid

    asyncio.run(scenario())


def test_a_running_api_follows_its_files(
    settings: ApiSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api_service.auth.watched._EVERY_S", 0.2)
    monkeypatch.setattr("api_service.auth.watched._SOONEST_S", 0.1)
    file, known = tmp_path / "key.pem", tmp_path / "clients.json"
    file.write_bytes(pem(P256))
    known.write_text(json.dumps([client("old")]))
    given = settings.model_copy(update={"auth_signing_key_file": file, "auth_clients_file": known})
    with structlog.testing.capture_logs() as logs, served(create_app(given, CollectorRegistry())) as api:
        before = token(api, "old")
        put(file, NEW + pem(P256))
        put(known, json.dumps([client("new")]).encode())
        wait(lambda: len(api.get("/.well-known/jwks.json").json()["keys"]) == 2)
        wait(lambda: answer(api, "new").status_code == 200)
        assert answer(api, "old").json()["error"] == "invalid_client"
        after = token(api, "new")
        assert jwt.get_unverified_header(before)["kid"] != jwt.get_unverified_header(after)["kid"]
        assert [status(api, made) for made in (before, after)] == [403, 403]
        put(file, b"broken")
        put(known, b"broken")
        wait(lambda: [line["event"] for line in logs].count("file_refused") == 2)
        assert [status(api, made) for made in (before, token(api, "new"))] == [403, 403]
        put(file, NEW)
        wait(lambda: status(api, before) == 401)
        assert status(api, after) == 403


def client(name: str) -> dict[str, Any]:
    return {"client_id": name, "secret_sha256": clients.digest("opensesame"), "scopes": ["read:stats"]}


def answer(api: httpx.Client, name: str) -> httpx.Response:
    grant = {"grant_type": "client_credentials", "client_id": name, "client_secret": "opensesame"}
    return api.post("/auth/token", data=grant)


def token(api: httpx.Client, name: str) -> str:
    return str(answer(api, name).json()["access_token"])


def status(api: httpx.Client, made: str) -> int:
    """403: the token is good, but not for this."""
    return api.get("/records", headers={"Authorization": f"Bearer {made}"}).status_code


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
