"""An API with its own key and clients, and no database."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry

from api_service.app import create_app
from api_service.auth.signing import SigningKey, ring
from api_service.settings import ApiSettings
from tests.unit.api_service.serving import served


def pem(key: Any) -> bytes:
    """A private key as an unencrypted PKCS 8 PEM."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("issuer") / "key.pem"
    file.write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    return file


@pytest.fixture(scope="session")
def key(key_file: Path) -> SigningKey:
    return ring(key_file).pairs[0]


@pytest.fixture(scope="module")
def settings(key_file: Path, tmp_path_factory: pytest.TempPathFactory) -> ApiSettings:
    clients = tmp_path_factory.mktemp("clients") / "clients.json"
    everything = {
        "client_id": "analyst",
        "secret_sha256": hashlib.sha256(b"opensesame").hexdigest(),
        "scopes": ["read:stats", "read:records"],
    }
    ward = {**everything, "client_id": "ward", "scopes": ["read:stats"], "devices": ["ward-1-*"]}
    clients.write_text(json.dumps([everything, ward]))
    return ApiSettings.model_validate(
        {
            "auth_signing_key_file": key_file,
            "auth_clients_file": clients,
            "db_host": "127.0.0.1",
            "db_port": 1,  # nothing listens there
            "api_modules": "auth,query",
        }
    )


@pytest.fixture(scope="module")
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture(scope="module")
def client(settings: ApiSettings, registry: CollectorRegistry) -> Iterator[httpx.Client]:
    with served(create_app(settings, registry)) as made:
        yield made


@pytest.fixture
def forge(key: SigningKey) -> Callable[..., str]:
    """Signs with the right key claims that are right but for what is given; None leaves a claim out."""

    def sign(headers: dict[str, Any] | None = None, **changed: Any) -> str:
        now = int(time.time())
        right = {"iss": "plumbline", "aud": "plumbline", "sub": "analyst", "exp": now + 60, "scope": "read:stats"}
        claims = {name: value for name, value in {**right, **changed}.items() if value is not None}
        return jwt.api_jws.encode(
            json.dumps(claims).encode(),
            key.private,
            key.algorithm,
            headers={"kid": key.kid, **(headers or {})},
        )

    return sign
