"""The module: who asks, found by the issuer's keys, and the routes of the built-in issuer if it is ours."""

from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter

from api_service.auth import clients, token
from api_service.auth.algorithms import KNOWN
from api_service.auth.bearer import Bearer
from api_service.auth.issuer import Issuer
from api_service.auth.keys import KeySource
from api_service.auth.signing import OwnKeys
from api_service.auth.verifier import Verifier
from api_service.limits import RateLimits
from api_service.metrics import Metrics
from api_service.settings import ApiSettings


class Auth:
    """`bearer` is for the routes of all modules."""

    def __init__(self, settings: ApiSettings, metrics: Metrics, limits: RateLimits) -> None:
        self._settings, self._metrics, self._limits = settings, metrics, limits
        self.own = OwnKeys(settings.auth_signing_key_file)
        self._source: KeySource = self.own
        verifier = Verifier(self._source, KNOWN, settings.auth_issuer, settings.jwt_audience)
        self.bearer = Bearer(verifier, metrics, limits)

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Keeps the keys up to date as long as the block lasts."""
        return self._source.opened()

    async def trouble(self) -> str | None:
        """Why no token can be verified, with the fix; None: one can."""
        return await self._source.trouble()

    def router(self) -> APIRouter:
        """The built-in issuer's routes.

        Raises:
            ConfigurationError: the clients' file can't be used.
        """
        settings = self._settings
        issuer = Issuer(settings.auth_issuer, settings.jwt_audience, self.own)
        known = clients.load(settings.auth_clients_file)
        return token.router(issuer, known, settings.auth_token_ttl_seconds, self._metrics, self._limits)
