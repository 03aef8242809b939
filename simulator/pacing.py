"""When to send what: a run is a range of event numbers, and the clock says how far it is due."""

from collections.abc import Callable
from dataclasses import dataclass

from simulator.fleet import Fleet

CHUNK = 10_000
"""Events handed over at once, at most."""
SHORTEST_WAIT_S = 0.02
"""What falls due one by one is sent in small groups."""

Clock = Callable[[], int]
"""Microseconds since 1970."""


@dataclass(frozen=True)
class Run:
    """Events `first` to `stop` (exclusive; None: without end) of a fleet."""

    first: int
    stop: int | None

    @staticmethod
    def between(fleet: Fleet, begin_us: int, end_us: int | None) -> "Run":
        """The events from `begin_us` to before `end_us`."""
        return Run(fleet.first_at(begin_us), None if end_us is None else fleet.first_at(end_us))

    def over(self, number: int) -> bool:
        """Whether `number` lies behind the end."""
        return self.stop is not None and number >= self.stop


def due(fleet: Fleet, run: Run, number: int, now_us: int) -> int:
    """Where the next chunk, which begins at `number`, ends: events up to now, never more than CHUNK."""
    upto = min(fleet.first_at(now_us + 1), number + CHUNK)
    return max(number, upto if run.stop is None else min(upto, run.stop))


def wait_s(due_us: int, now_us: int) -> float:
    """How long to wait for an event that is due at `due_us`, in seconds."""
    return max(SHORTEST_WAIT_S, (due_us - now_us) / 1e6)
