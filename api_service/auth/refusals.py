"""The audit log of refused tokens and clients: who was refused when, where and why, never the token or the secret."""

import hashlib

from fastapi import Request

from api_service.floods import Floods, plain
from api_service.limits import client_host
from shared import log

_log = log.get(__name__)


class Refusals:
    """`note` each refused bearer token."""

    def __init__(self) -> None:
        self._floods = Floods("token_refused")

    def note(
        self, request: Request, reason: str, token: str, kid: str | None = None, subject: str | None = None
    ) -> None:
        """One refused token. `subject`: only where the signature was right."""
        address = client_host(request)
        if self._floods.each(reason, address):
            _log.warning(
                "token_refused",
                reason=reason,
                address=address,
                route=getattr(request.scope.get("route"), "path", ""),
                token_sha256=hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:16],
                kid=plain(kid),
                subject=plain(subject),
            )


class ClientRefusals:
    """`note` each client that gave no right secret."""

    def __init__(self) -> None:
        self._floods = Floods("client_refused")

    def note(self, request: Request, reason: str, client_id: str | None) -> None:
        """One of them. `client_id`: only that of a client that there is."""
        address = client_host(request)
        if self._floods.each(reason, address):
            _log.warning("client_refused", reason=reason, address=address, client_id=plain(client_id))
