"""From the spool to the API: lanes side by side, each with one request under way, until what it took is settled."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

from shared import log
from shared.errors import ConfigurationError
from simulator.http import client
from simulator.http.answers import Again, Answer, Refused, Settled, TooLarge, Unauthorized, judge
from simulator.http.backoff import retry_after_s
from simulator.http.batches import Parcel, halves
from simulator.http.delivery import Delivery
from simulator.http.endpoints import Endpoints, Use, Wait
from simulator.http.spool_store import Spool
from simulator.http.tokens import IssuerAway, Tokens
from simulator.metrics import Metrics

LINGER_S = 0.2
"""A lane waits so long for more events before it sends fewer than a batch."""
_log = log.get(__name__)


@dataclass
class Lanes:
    """What the lanes share. Runs in one event loop; `wake` and `draining` are for its thread as well."""

    session: aiohttp.ClientSession
    tokens: Tokens
    endpoints: Endpoints
    spool: Spool
    delivery: Delivery
    metrics: Metrics
    lanes: int
    batch: int
    """Events of a request at most."""
    gzip: bool
    draining: bool = False
    """Nothing will be put any more: end when the spool is empty."""
    settled_at: float = field(default_factory=time.monotonic)
    """When the last request was settled."""
    in_flight: int = 0
    most_events: int = field(init=False)
    """`batch`, or fewer where an API takes fewer: halved by each refusal, raised bit by bit again."""
    _woken: list[asyncio.Event] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.most_events = self.batch

    async def run(self) -> None:
        """Returns when all is settled after `draining`.

        Raises:
            ConfigurationError: an API or an issuer refuses us for good.
        """
        self._woken = [asyncio.Event() for _ in range(self.lanes)]
        tasks = [asyncio.create_task(self._lane(lane)) for lane in range(self.lanes)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """Something was put, or `draining` is set."""
        for event in self._woken:
            event.set()

    async def _lane(self, lane: int) -> None:
        while await self._filled(lane):
            taken = self.spool.take(lane, self.most_events)
            parcels = [parcel for _, parcel in taken]
            body = b"\n".join([parcel.body for parcel in parcels])
            settled = await self._deliver(body, sum(parcel.events for parcel in parcels))
            self.spool.done(taken)
            self._count(settled, parcels)
            if self.spool.recovered:
                self.wake()  # what an earlier run left may be done: the other lanes may go on

    async def _filled(self, lane: int) -> bool:
        """Waits until the lane has a batch, or less for a while; False: there is nothing left to wait for."""
        until: float | None = None
        while True:
            self._woken[lane].clear()
            events = self.spool.pending(lane)
            now = time.monotonic()
            if events >= self.most_events or (events and (self.draining or (until is not None and now >= until))):
                return True
            if self.draining and self.spool.empty(lane):
                return False
            if events and until is None:
                until = now + LINGER_S
            await _within(self._woken[lane], None if until is None else until - now)

    async def _deliver(self, body: bytes, events: int) -> list[tuple[Use, Settled]]:
        """Sends until each event is accepted or rejected; returns where and how, for each part that it was sent in."""
        if events > self.most_events:
            return await self._deliver_halves(body, events)
        tries = unauthorized = 0
        while True:
            use = self.endpoints.choose(time.monotonic())
            if isinstance(use, Wait):
                await _within(self._changed, use.seconds)
                continue
            self.delivery.retried += tries > 0
            self.metrics.http_retries.inc(tries > 0)
            tries += 1
            match await self._sent(use, body, events):
                case Again() as again:
                    self._failed(use, again, events)
                case Settled() as settled:
                    self._succeeded(use)
                    self.settled_at = time.monotonic()
                    self.most_events = min(self.batch, self.most_events + 1 + self.most_events // 16)
                    return [(use, settled)]
                case TooLarge():
                    self._succeeded(use)
                    self.most_events = max(1, min(self.most_events, events // 2))
                    return await self._deliver_halves(body, events)
                case Unauthorized():
                    self._succeeded(use)
                    unauthorized += 1
                    if unauthorized > 1:
                        raise ConfigurationError(self._refusal(use))
                case Refused(message):
                    raise ConfigurationError(message)

    async def _deliver_halves(self, body: bytes, events: int) -> list[tuple[Use, Settled]]:
        first, second = halves(body)
        settled = await self._deliver(first, events // 2)
        return settled + await self._deliver(second, events - events // 2)

    async def _sent(self, use: Use, body: bytes, events: int) -> Again | Settled | TooLarge | Unauthorized | Refused:
        """One request, or none where the endpoint doesn't even live or no token can be had."""
        base = self.endpoints.urls[use.index]
        if use.probe and not await client.lives(self.session, base):
            return Again("doesn't answer", unknown=False)
        try:
            token = await self.tokens.get(base)
        except IssuerAway as away:
            after = retry_after_s(away.retry_after, time.time())
            return Again(f"no token: {away}", after, throttled=away.throttled, unknown=False)
        self.in_flight += 1
        self.delivery.requests += 1
        try:
            answer = await client.post(self.session, base, token, body, gzip=self.gzip)
        finally:
            self.in_flight -= 1
        status = f"{answer.status // 100}xx" if isinstance(answer, Answer) else "none"
        self.metrics.http_requests.labels(status).inc()
        outcome = judge(answer, events, time.time()) if isinstance(answer, Answer) else answer
        if isinstance(outcome, Unauthorized) and not self.tokens.renew(base, token):
            return Refused(self._refusal(use))
        return outcome

    def _refusal(self, use: Use) -> str:
        url = self.endpoints.urls[use.index]
        return f"{url} refuses the token (401) → set AUTH_TOKEN to a valid one of its issuer, or AUTH_CLIENT_ID"

    def _failed(self, use: Use, again: Again, events: int) -> None:
        if again.unknown:
            self.delivery.maybe_twice += events
        url = self.endpoints.urls[use.index]
        if self.endpoints.failed(use, time.monotonic(), again.retry_after_s, throttled=again.throttled):
            if again.throttled:  # a rate limit is met again and again
                _log.debug("endpoint_throttled", url=url, reason=again.reason, retry_after_s=again.retry_after_s)
            else:
                _log.warning("endpoint_rests", url=url, reason=again.reason, retry_after_s=again.retry_after_s)
        self._change()

    def _succeeded(self, use: Use) -> None:
        before = self.endpoints.current
        self.endpoints.succeeded(use)
        if self.endpoints.current != before:
            self.delivery.failed_over = self.endpoints.failed_over
            _log.warning("endpoint_changed", url=self.endpoints.urls[use.index])
        if use.trial:
            self._change()

    def _change(self) -> None:
        """Wakes who waits for an endpoint."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _count(self, parts: list[tuple[Use, Settled]], parcels: list[Parcel]) -> None:
        """Only what the spool has let go of: nothing counts as accepted and as spooled."""
        for use, settled in parts:
            self.delivery.accepted += settled.accepted
            self.delivery.by_endpoint[self.endpoints.urls[use.index]] += settled.accepted
            self.delivery.rejected += settled.rejected
            self.metrics.http_accepted.inc(settled.accepted)
            self.metrics.accepted.inc(settled.accepted)
            for code, count in settled.rejected.items():
                self.metrics.http_rejected.labels(code).inc(count)
        for parcel in parcels:
            self.delivery.planned += Counter(parcel.planned)


async def _within(event: asyncio.Event, seconds: float | None) -> None:
    """Returns when it is set, or after so many seconds."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
