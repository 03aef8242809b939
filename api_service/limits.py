"""How much a client's address and a token's subject may send: 429 with Retry-After once it is more.

A request costs one; of several events, as many. A bucket a key holds one second's worth. A batch that is larger than
the bucket passes when it is full, and leaves a debt: so every size of batch gets through, and pays for itself.
"""

import heapq
import ipaddress
import math
import time
from collections.abc import Callable

from fastapi import Request

from api_service.problems import Problem
from api_service.settings import ApiSettings

# Keys of a kind that are remembered; a dozen MiB for both.
_KEYS = 32_768
# Below what a clock tells apart: sums of such fractions may be off by less.
_ROUNDING_S = 1e-6


class Buckets:
    """Token buckets, one a key, each kept as the time at which it is full again."""

    def __init__(self, per_second: float, keys: int = _KEYS) -> None:
        self._rate, self._size, self._keys = per_second, max(1.0, per_second), keys
        self._full_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, key: str, cost: int, now: float, paid: int = 0) -> float:
        """Seconds until this may be taken, 0: now. `paid`: what the same request has taken already."""
        full_at = self._full_at.get(key, now)
        needed = min(cost, self._size - paid)
        if full_at <= now + (self._size - needed) / self._rate + _ROUNDING_S:
            return 0.0
        # Whoever comes again pays all of it again.
        return full_at - now - (self._size - needed - paid) / self._rate

    def take(self, key: str, cost: int, now: float) -> None:
        """Takes it, into debt if need be."""
        if key not in self._full_at and len(self._full_at) >= self._keys:
            self._make_room(now)
        self._full_at[key] = max(self._full_at.get(key, now), now) + cost / self._rate

    def _make_room(self, now: float) -> None:
        """Forgets the full ones: nothing is lost. Where there are too few of them, those that are full soonest."""
        most = self._keys * 3 // 4
        owing = [(full_at, key) for key, full_at in self._full_at.items() if full_at > now]
        kept = heapq.nlargest(most, owing) if len(owing) > most else owing
        self._full_at = {key: full_at for full_at, key in kept}


class RateLimits:
    """The limits of one process. A limit of 0 is none, and costs nothing."""

    def __init__(self, settings: ApiSettings, clock: Callable[[], float] = time.monotonic) -> None:
        addresses, subjects = settings.rate_limit_address_per_second, settings.rate_limit_events_per_second
        self._addresses = Buckets(addresses) if addresses else None
        self._subjects = Buckets(subjects) if subjects else None
        self._clock = clock

    def address(self, host: str) -> None:
        """Charges a request to where it comes from, before anything is known of it.

        Raises:
            Problem: 429, the address is over its rate.
        """
        if self._addresses is not None:
            self._charge(self._addresses, network(host), "your address")

    def subject(self, name: str) -> None:
        """Charges a request to whom its token names.

        Raises:
            Problem: 429, the subject is over its rate.
        """
        if self._subjects is not None:
            self._charge(self._subjects, name, "your token's subject")

    def batch(self, host: str, name: str, events: int) -> None:
        """Charges what several events cost beyond the one that `address` and `subject` took: both, or none.

        Raises:
            Problem: 429, one of them is over its rate.
        """
        if events <= 1 or (self._addresses is None and self._subjects is None):
            return
        now, rest = self._clock(), events - 1
        charged = [
            (buckets, key, whose)
            for buckets, key, whose in (
                (self._addresses, network(host), "your address"),
                (self._subjects, name, "your token's subject"),
            )
            if buckets is not None
        ]
        for buckets, key, whose in charged:
            if wait := buckets.wait(key, rest, now, paid=1):
                raise _too_many(whose, wait)
        for buckets, key, _ in charged:
            buckets.take(key, rest, now)

    def _charge(self, buckets: Buckets, key: str, whose: str) -> None:
        now = self._clock()
        if wait := buckets.wait(key, 1, now):
            raise _too_many(whose, wait)
        buckets.take(key, 1, now)


def client_host(request: Request) -> str:
    """Where the request comes from: the peer, or whom a trusted proxy names. Empty on a socket without addresses."""
    client = request.scope.get("client")
    return client[0] if client else ""


def network(host: str) -> str:
    """What an address counts as: itself, and for IPv6 its /64, of which one household has all addresses."""
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    return str(address.ipv4_mapped) if address.ipv4_mapped else address.packed[:8].hex()


def _too_many(whose: str, wait_s: float) -> Problem:
    detail = f"More events a second than {whose} may send: slow down, and try again when Retry-After says."
    return Problem(429, detail, code="rate_limited", headers={"Retry-After": str(max(1, math.ceil(wait_s)))})
