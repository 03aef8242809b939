"""The module: who asks, found by the issuer's keys, and the routes of the built-in issuer if it is ours."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from fastapi import APIRouter

from api_service.auth import token
from api_service.auth.algorithms import KNOWN, chosen
from api_service.auth.bearer import Bearer
from api_service.auth.clients import Clients
from api_service.auth.issuer import Issuer
from api_service.auth.keys import KeySource
from api_service.auth.signing import OwnKeys
from api_service.auth.verifier import Verifier
from api_service.limits import RateLimits
from api_service.metrics import Metrics
from api_service.settings import ApiSettings
from shared import log

# Where tokens come from, if the issuer is external.
_WHENCE = {False: "POST /auth/token gives a token.", True: "your identity provider gives tokens."}


class Auth:
    """`bearer` is for the routes of all modules; `own`: the built-in issuer's keys, None: the issuer is external."""

    source: KeySource

    def __init__(self, settings: ApiSettings, metrics: Metrics, limits: RateLimits) -> None:
        """Reads files, asks nobody yet.

        Raises:
            ConfigurationError: the issuer's settings can't be used.
        """
        self._settings, self._metrics, self._limits = settings, metrics, limits
        self.own: OwnKeys | None = None
        if settings.jwt_issuer or settings.jwt_jwks_url:
            self.source = _external(settings, metrics)
            allowed = chosen(settings.jwt_algorithms)
            verifier = Verifier(self.source, allowed, settings.jwt_issuer, settings.jwt_audience)
        else:
            self.source = self.own = OwnKeys(settings.auth_signing_key_file)
            verifier = Verifier(self.source, KNOWN, settings.auth_issuer, settings.jwt_audience)
        self.bearer = Bearer(verifier, metrics, limits, _WHENCE[self.own is None])
        self._opened: list[Callable[[], AbstractAsyncContextManager[None]]] = [self.source.opened]

    def router(self) -> APIRouter:
        """The routes of the built-in issuer; none where the issuer is external.

        Raises:
            ConfigurationError: the clients' file can't be used.
        """
        if self.own is None:
            return APIRouter()
        settings = self._settings
        clients = Clients(settings.auth_clients_file)
        self._opened.append(clients.opened)
        issuer = Issuer(settings.auth_issuer, settings.jwt_audience, self.own)
        return token.router(issuer, clients, settings.auth_token_ttl_seconds, self._metrics, self._limits)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keeps keys and clients up to date as long as the block lasts."""
        async with AsyncExitStack() as stack:
            for opened in self._opened:
                await stack.enter_async_context(opened())
            yield

    def receipt_secret(self) -> bytes:
        """What receipts may be signed with where no key is given for them: the same in all processes with our key file,
        and after a rotation, until the oldest key is retired."""
        if self.own is not None:
            return self.own.pairs[-1].secret()
        log.get(__name__).warning(
            "receipt_key_is_random",
            problem="RECEIPT_KEY is not set: receipts are unknown to other processes, and after a restart "
            "→ set it, the same for all gateways: openssl rand -base64 32",
        )
        return secrets.token_bytes(32)


def _external(settings: ApiSettings, metrics: Metrics) -> KeySource:
    # An HTTP client takes 8 MiB, which the built-in issuer does without.
    from api_service.auth.provider import Provider
    from api_service.auth.remote import RemoteKeys

    provider = Provider(settings.jwt_issuer, settings.jwt_jwks_url)
    return RemoteKeys(provider, chosen(settings.jwt_algorithms), settings.jwt_jwks_max_stale_seconds, metrics)
