"""The API in front of a database of the test's own."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry

from api_service.app import create_app
from api_service.settings import ApiSettings
from tests.integration.api_service.warehouse import Warehouse
from tests.servers import Database
from tests.unit.api_service.serving import served

SECRET = "opensesame"


@pytest.fixture
def warehouse(database: Database) -> Iterator[Warehouse]:
    with database.connect() as connection:
        yield Warehouse(connection)


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> ApiSettings:
    """The API under its own role. Clients: `all` sees every device, `ward` those like ward-*."""
    key = ec.generate_private_key(ec.SECP256R1())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "key.pem").write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    secret = hashlib.sha256(SECRET.encode()).hexdigest()
    everything: dict[str, Any] = {"client_id": "all", "secret_sha256": secret, "scopes": ["read:stats"]}
    ward = {**everything, "client_id": "ward", "devices": ["ward-*"]}
    (tmp_path / "clients.json").write_text(json.dumps([everything, ward]))
    variables = {name.lower(): value for name, value in database.environment("api").items()}
    files = {"auth_signing_key_file": tmp_path / "key.pem", "auth_clients_file": tmp_path / "clients.json"}
    return ApiSettings.model_validate({**variables, **files})


@pytest.fixture
def serve(settings: ApiSettings) -> Iterator[Callable[..., httpx.Client]]:
    """Starts an API with some settings changed, for a client of the issuer."""
    with ExitStack() as stack:

        def start(client_id: str = "all", **changed: Any) -> httpx.Client:
            app = create_app(settings.model_copy(update=changed), CollectorRegistry())
            client = stack.enter_context(served(app))
            grant = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": SECRET}
            token = client.post("/auth/token", data=grant).json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            return client

        yield start
