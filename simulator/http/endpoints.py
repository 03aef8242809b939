"""Which endpoint a request goes to: the first that works, and back to it once it works again.

An endpoint that failed rests. Then one request tries it while the others stay with the next one (or wait, where there
is none); its success brings all of them back, its failure makes the next rest longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from simulator.http.backoff import Jitter, full_jitter, wait_s

_LOOK_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Use:
    """Send to endpoint `index`, and tell how it went. `probe`: ask first whether it lives, since another one does."""

    index: int
    trial: bool = False
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be sent for so many seconds, or until some request has come back."""

    seconds: float


@dataclass(slots=True)
class _Endpoint:
    url: str
    up: bool = True
    trying: bool = False
    throttled: bool = False
    """It asked for less: going to another one would cheat it."""
    failures: int = 0
    until: float = 0.0
    """It rests until then."""


@dataclass(slots=True)
class Endpoints:
    """The endpoints in order of preference. Times are seconds of any monotonic clock."""

    urls: Sequence[str]
    jitter: Jitter = full_jitter
    current: int = 0
    """Where the last success was."""
    failed_over: int = 0
    """How often that moved on to a later endpoint."""
    _all: list[_Endpoint] = field(init=False)

    def __post_init__(self) -> None:
        self._all = [_Endpoint(url) for url in self.urls]

    def choose(self, now: float) -> Use | Wait:
        """Where to send now; whoever gets a Use must tell `succeeded` or `failed`."""
        for index, endpoint in enumerate(self._all):
            if endpoint.up:
                return Use(index)
            if now >= endpoint.until and not endpoint.trying:
                endpoint.trying = True
                others = any(other.up for other in self._all)
                return Use(index, trial=True, probe=others and not endpoint.throttled)
            if endpoint.throttled:
                break
        return Wait(self._wait_s(now))

    def succeeded(self, use: Use) -> None:
        """It answered, whatever it thinks of the events."""
        endpoint = self._all[use.index]
        endpoint.up, endpoint.trying, endpoint.throttled, endpoint.failures = True, False, False, 0
        if any(earlier.up for earlier in self._all[: use.index]):
            return  # it was under way when an earlier one came back
        self.failed_over += use.index > self.current
        self.current = use.index

    def failed(self, use: Use, now: float, retry_after_s: float | None, *, throttled: bool = False) -> bool:
        """It didn't take the request: it rests for as long as it asked for, or longer each time.

        Returns whether that is news: it was in use until now.
        """
        endpoint = self._all[use.index]
        was_up = endpoint.up
        if not endpoint.up and not use.trial:
            # One of several requests that were under way when the first one failed.
            if retry_after_s is not None:
                endpoint.until = max(endpoint.until, now + wait_s(1, retry_after_s, self.jitter))
            return False
        endpoint.failures += 1
        endpoint.up, endpoint.trying, endpoint.throttled = False, False, throttled
        endpoint.until = now + wait_s(endpoint.failures, retry_after_s, self.jitter)
        return was_up

    def _wait_s(self, now: float) -> float:
        resting = [endpoint.until - now for endpoint in self._all if not endpoint.up and not endpoint.trying]
        # Where one is being tried, its outcome wakes those who wait.
        return max(0.0, min(resting, default=_LOOK_AGAIN_S))
