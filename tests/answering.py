"""The API in front of a test's database."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry

from api_service.app import create_app
from api_service.settings import ApiSettings
from tests.servers import Database
from tests.unit.api_service.serving import served

SECRET = "opensesame"
SCOPES = ["read:stats", "read:records", "write:readings"]


def api_settings(database: Database, folder: Path) -> ApiSettings:
    """The API under its own role, without the gateway. Clients: `all` sees every device, `ward` those like ward-*."""
    key = ec.generate_private_key(ec.SECP256R1())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    secret = hashlib.sha256(SECRET.encode()).hexdigest()
    everything: dict[str, Any] = {"client_id": "all", "secret_sha256": secret, "scopes": SCOPES}
    ward = {**everything, "client_id": "ward", "devices": ["ward-*"]}
    (folder / "clients.json").write_text(json.dumps([everything, ward]))
    variables = {name.lower(): value for name, value in database.environment("api").items()}
    files = {"auth_signing_key_file": folder / "key.pem", "auth_clients_file": folder / "clients.json"}
    return ApiSettings.model_validate({"api_modules": "auth,query", **variables, **files})


@contextmanager
def answering(
    settings: ApiSettings, client_id: str = "all", registry: CollectorRegistry | None = None
) -> Iterator[httpx.Client]:
    """An API for the length of the block, and a client of its issuer; `registry`: where its metrics are."""
    with served(create_app(settings, registry or CollectorRegistry())) as client:
        grant = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": SECRET}
        token = client.post("/auth/token", data=grant).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client
