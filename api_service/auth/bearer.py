"""The bearer token of a request (RFC 6750): found, verified, and its scope asked for."""

import math
import time
from collections.abc import Awaitable, Callable

from fastapi import Request

from api_service.auth.claims import Principal, Refused
from api_service.auth.keys import KeysAway
from api_service.auth.refusals import Refusals
from api_service.auth.verifier import Verifier
from api_service.limits import RateLimits, client_host
from api_service.metrics import Metrics
from api_service.problems import Problem, unavailable

_REALM = 'Bearer realm="plumbline"'


class Bearer:
    """Makes the dependencies that routes declare their scope with. `whence` says where tokens come from."""

    def __init__(
        self,
        verifier: Verifier,
        metrics: Metrics,
        limits: RateLimits,
        whence: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._verifier, self._metrics, self._limits = verifier, metrics, limits
        self._whence, self._clock, self._refusals = whence, clock, Refusals()

    def require(self, scope: str) -> Callable[[Request], Awaitable[Principal]]:
        """A dependency that yields who asks, or ends the request with 400, 401, 403, 429 or 503."""

        async def principal(request: Request) -> Principal:
            self._limits.address(client_host(request))
            token = self._token(request)
            try:
                found = await self._verifier.verify(token, self._clock())
            except Refused as refused:
                self._refusals.note(request, refused.reason, token, refused.kid, refused.subject)
                raise self._refuse(
                    refused.reason, 401, "The token is not valid, or no longer: ask for a new one.", "invalid_token"
                ) from None
            except KeysAway as away:
                raise unavailable(
                    "The identity provider's keys can't be had, so no token can be verified.",
                    math.ceil(away.retry_after_s),
                ) from None
            self._limits.subject(found.subject)
            if scope not in found.scopes:
                self._refusals.note(request, "scope", token, subject=found.subject)
                raise self._refuse(
                    "scope", 403, f"This needs a token with the scope {scope}.", "insufficient_scope", scope
                )
            return found

        return principal

    def _token(self, request: Request) -> str:
        # Of the request's bytes, since every event that comes alone pays for this.
        given = [value.decode("latin-1") for name, value in request.scope["headers"] if name == b"authorization"]
        in_query = bool(request.scope["query_string"]) and "access_token" in request.query_params
        if in_query or len(given) > 1 or (given and given[0].lower().count("bearer ") > 1):
            self._refusals.note(request, "sent_twice_or_in_query", "".join(given))
            raise self._refuse(
                "sent_twice_or_in_query", 400, "Send the token once, in the Authorization header.", "invalid_request"
            )
        scheme, _, token = (given[0] if given else "").partition(" ")
        if scheme.lower() != "bearer":
            raise self._refuse("missing", 401, f"Send the header Authorization: Bearer TOKEN; {self._whence}")
        return token.strip()

    def _refuse(self, reason: str, status: int, detail: str, error: str | None = None, scope: str = "") -> Problem:
        self._metrics.token_refusals.labels(reason).inc()
        challenge = _REALM
        if error:
            challenge += f', error="{error}"'
        if scope:
            challenge += f', scope="{scope}"'
        return Problem(status, detail, code=error, headers={"WWW-Authenticate": challenge})
