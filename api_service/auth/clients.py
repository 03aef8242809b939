"""The clients that may ask the built-in issuer for tokens: AUTH_CLIENTS_FILE."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import msgspec

from api_service.auth.watched import Watched
from shared.errors import ConfigurationError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NOBODY = hashlib.sha256(b"").hexdigest()


class Client(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`devices`: the patterns of the devices that its tokens cover; None: all."""

    client_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    secret_sha256: str
    scopes: tuple[str, ...]
    devices: tuple[str, ...] | None = None


class Clients:
    """The clients of the file as they are now."""

    def __init__(self, file: Path | None) -> None:
        """Reads it.

        Raises:
            ConfigurationError: it can't be used.
        """
        if file is None:
            raise refused("is not set")
        self._by_id = Watched(file, load)

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Follows the file as long as the block lasts."""
        return self._by_id.opened()

    def authenticate(self, client_id: str, secret: str) -> Client | None:
        """The client whose secret this is; as slow for a client that doesn't exist."""
        client = self._by_id.now.get(client_id)
        expected = client.secret_sha256 if client else _NOBODY
        return client if hmac.compare_digest(digest(secret), expected) and client is not None else None

    def knows(self, client_id: str) -> bool:
        """Whether there is such a client."""
        return client_id in self._by_id.now


def load(file: Path) -> dict[str, Client]:
    """The clients of a file by id.

    Raises:
        ConfigurationError: the file can't be read, or isn't a list of clients.
    """
    try:
        clients = msgspec.json.decode(file.read_bytes(), type=list[Client])
    except OSError as error:
        raise refused(f"{file}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise refused(f"{file}: {error}") from None
    wrong = [client.client_id for client in clients if not _SHA256.fullmatch(client.secret_sha256)]
    if wrong:
        raise refused(f"{file}: the secret_sha256 of {', '.join(wrong)} is not 64 lower-case hex digits")
    if len({client.client_id for client in clients}) < len(clients):
        raise refused(f"{file}: a client_id is there twice")
    return {client.client_id: client for client in clients}


def digest(secret: str) -> str:
    """What the file holds of a secret. One that was made at random can't be guessed from it; no slow hash is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def granted(client: Client, wanted: str | None) -> Sequence[str] | None:
    """The scopes for a request's `scope` parameter: all of the client's when it names none; None: too much."""
    scopes = tuple(dict.fromkeys((wanted or "").split(" "))) if wanted else client.scopes
    return scopes if set(scopes) <= set(client.scopes) else None


def refused(problem: str) -> ConfigurationError:
    """Says what the file is like."""
    return ConfigurationError(
        f"AUTH_CLIENTS_FILE: {problem} → name a file with a JSON list like "
        '[{"client_id": "me", "secret_sha256": "(hex)", "scopes": ["read:stats"]}]; '
        "`plumbline clients add me --scope read:stats --file FILE` makes one"
    )
