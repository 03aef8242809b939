"""The clients that may ask the built-in issuer for tokens: AUTH_CLIENTS_FILE."""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from shared.errors import ConfigurationError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NOBODY = hashlib.sha256(b"").hexdigest()


class Client(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    client_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    secret_sha256: str
    scopes: tuple[str, ...]
    devices: tuple[str, ...] | None = None


def load(file: Path | None) -> dict[str, Client]:
    """The clients by id.

    Raises:
        ConfigurationError: the file can't be read, or isn't a list of clients.
    """
    if file is None:
        raise _refused("is not set")
    try:
        clients = msgspec.json.decode(file.read_bytes(), type=list[Client])
    except OSError as error:
        raise _refused(f"{file}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise _refused(f"{file}: {error}") from None
    wrong = [client.client_id for client in clients if not _SHA256.fullmatch(client.secret_sha256)]
    if wrong:
        raise _refused(f"{file}: the secret_sha256 of {', '.join(wrong)} is not 64 lower-case hex digits")
    if len({client.client_id for client in clients}) < len(clients):
        raise _refused(f"{file}: a client_id is there twice")
    return {client.client_id: client for client in clients}


def authenticate(clients: Mapping[str, Client], client_id: str, secret: str) -> Client | None:
    """The client whose secret this is; as slow for a client that doesn't exist."""
    client = clients.get(client_id)
    expected = client.secret_sha256 if client else _NOBODY
    given = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
    return client if hmac.compare_digest(given, expected) and client is not None else None


def granted(client: Client, wanted: str | None) -> Sequence[str] | None:
    """The scopes for a request's `scope` parameter: all of the client's when it names none; None: too much."""
    scopes = tuple(dict.fromkeys((wanted or "").split(" "))) if wanted else client.scopes
    return scopes if set(scopes) <= set(client.scopes) else None


def _refused(problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"AUTH_CLIENTS_FILE: {problem} → name a file with a JSON list like "
        '[{"client_id": "me", "secret_sha256": "(hex)", "scopes": ["read:stats"]}]; '
        "the hash of a secret: printf %s SECRET | sha256sum"
    )
