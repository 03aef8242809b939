"""The keys of an external identity provider, kept: a KeySource that asks it no more than needed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from api_service.auth import jwks
from api_service.auth.freshness import Freshness
from api_service.auth.keys import KeysAway, KeySet
from api_service.auth.provider import Provider, Unusable
from api_service.metrics import Metrics
from shared import log

_LOOK_EVERY_S = 1.0


class RemoteKeys:
    """Fetched in the background, by one task at a time; the last keys count while the provider is away."""

    def __init__(
        self,
        provider: Provider,
        allowed: frozenset[str],
        max_stale_s: float,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider, self._allowed, self._metrics, self._clock = provider, allowed, metrics, clock
        self._freshness = Freshness(max_stale_s)
        self._body, self._keys = b"", KeySet([])
        self._fetching: asyncio.Task[None] | None = None
        self._problem = "the identity provider's keys have not been fetched yet → wait a moment"
        self._log = log.get(__name__)

    def current(self) -> KeySet | None:
        """The last keys that came, unless that is too long ago."""
        return self._keys if self._freshness.usable(self._clock()) else None

    async def newer(self) -> KeySet:
        """The keys after a fetch, if none was made for the same reason a moment ago.

        Raises:
            KeysAway: there are none that count.
        """
        if self._fetching is not None or self._freshness.ask(self._clock()):
            await asyncio.shield(self._start())
        keys = self.current()
        if keys is None:
            raise KeysAway(max(1.0, self._freshness.due - self._clock()))
        return keys

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Fetches them when they are due as long as the block lasts."""
        keeper = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            for task in filter(None, (keeper, self._fetching)):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def trouble(self) -> str | None:
        """Why no token can be verified, with the fix; None: one can."""
        keys = self.current()
        if keys is None:
            return self._problem
        return (
            None if keys.keys else "the key set has no key that JWT_ALGORITHMS allows → see whether it is the right one"
        )

    async def _keep(self) -> None:
        while True:
            if self._clock() >= self._freshness.due:
                await asyncio.shield(self._start())
            await asyncio.sleep(min(_LOOK_EVERY_S, max(0.0, self._freshness.due - self._clock())))

    def _start(self) -> asyncio.Task[None]:
        """The fetch that is under way, or a new one; whoever waits for it may go, it goes on."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            came = await self._provider.fetch()
            if came.body != self._body:
                self._take(came.body)
        except Unusable as error:
            self._failed(str(error))
        except Exception as error:  # noqa: BLE001  whatever a provider sends, we go on asking it
            self._failed(f"the key set can't be read ({type(error).__name__}) → tell the provider, and us")
        else:
            self._freshness.fetched(self._clock(), came.max_age_s)
            self._metrics.jwks_fetches.labels("ok").inc()
            self._metrics.jwks_fetched.set_to_current_time()
        finally:
            self._fetching = None

    def _failed(self, problem: str) -> None:
        self._freshness.failed(self._clock())
        self._problem = problem
        self._metrics.jwks_fetches.labels("failed").inc()
        self._log.warning("jwks_not_fetched", problem=problem, keys_kept=self.current() is not None)

    def _take(self, body: bytes) -> None:
        try:
            self._keys = jwks.parse(body, self._allowed)
        except ValueError as error:
            raise Unusable(f"the key set {error} → see whether JWT_ISSUER or JWT_JWKS_URL is right") from None
        self._body = body
        self._log.info("jwks_changed", keys=len(self._keys.keys))
