"""What the API's built-in token issuer needs: a signing key and the clients that may ask it for tokens."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from deploy.local import secret_file

SCOPES = ("read:stats", "read:records", "write:readings")


def ensure(values: Mapping[str, str]) -> None:
    """Make the files that are missing. The key stays, or tokens that are out would turn invalid."""
    key_file, clients_file = Path(values["AUTH_SIGNING_KEY_FILE"]), Path(values["AUTH_CLIENTS_FILE"])
    if not key_file.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        secret_file.replace(key_file, pem)
    if not clients_file.exists():
        client = {
            "client_id": values["AUTH_CLIENT_ID"],
            "secret_sha256": hashlib.sha256(values["AUTH_CLIENT_SECRET"].encode()).hexdigest(),
            "scopes": SCOPES,
            "devices": ["*"],
        }
        secret_file.replace(clients_file, json.dumps([client], indent=2).encode())
