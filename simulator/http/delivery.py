"""What became of the events that a run sent over HTTP."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from shared.errors import PlumblineError


@dataclass
class Delivery:
    """Counts of events where nothing else is said."""

    recovered: int = 0
    """Left in the spool by an earlier run."""
    handed_over: int = 0
    """By this run, second copies too."""
    accepted: int = 0
    by_endpoint: Counter[str] = field(default_factory=Counter)
    """Accepted, by URL."""
    rejected: Counter[str] = field(default_factory=Counter)
    """By code."""
    planned: Counter[str] = field(default_factory=Counter)
    """What should have been rejected of those that are settled, by code."""
    spooled: int = 0
    """Kept in the spool on disk for the next run."""
    unsent: int = 0
    """Neither settled nor kept."""
    maybe_twice: int = 0
    """Sent again although an earlier request may have been taken: at most so many duplicates more."""
    requests: int = 0
    retried: int = 0
    """Requests that were sent again."""
    failed_over: int = 0
    """How often the run moved on to a later endpoint."""

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {
            "recovered": self.recovered,
            "handed_over": self.handed_over,
            "accepted": self.accepted,
            "rejected": dict(sorted(self.rejected.items())),
            "spooled": self.spooled,
            "unsent": self.unsent,
            "maybe_twice": self.maybe_twice,
            "requests": self.requests,
            "retried_requests": self.retried,
            "failed_over": self.failed_over,
            "by_endpoint": dict(self.by_endpoint),
        }

    def text(self) -> str:
        """For people."""
        rejected = f"{self.rejected.total():,} rejected" + (f" ({_listed(self.rejected)})" if self.rejected else "")
        of = f"of {self.handed_over + self.recovered:,}; {self.spooled:,} in the spool, {self.unsent:,} not confirmed"
        lines = [
            f"over HTTP: {self.accepted:,} accepted and {rejected} {of}",
            f"{self.requests:,} requests, {self.retried:,} retried, {self.failed_over:,} times failed over",
        ]
        if self.recovered:
            lines.append(f"{self.recovered:,} of them were left in the spool by an earlier run")
        if self.maybe_twice:
            lines.append(f"up to {self.maybe_twice:,} were sent twice: as many duplicates more, which do no harm")
        return "\n".join(lines)

    def check(self) -> None:
        """Returns if each event was accepted, rejected as planned, or kept.

        Raises:
            PlumblineError: how many weren't, and what to do.
        """
        problems = []
        if self.unsent:
            problems.append(
                f"{self.unsent:,} events were not confirmed → check the API (/readyz); --spool DIR keeps such events"
            )
        if surprising := self.rejected - self.planned:
            codes = _listed(surprising)
            problems.append(f"the API rejected events that no fault was planned for: {codes} → see docs/api.md")
        if missed := self.planned - self.rejected:
            codes = _listed(missed)
            problems.append(f"the API took events that were planned to be rejected: {codes} → is it another version?")
        if problems:
            raise PlumblineError("\n".join(problems))


def _listed(codes: Counter[str]) -> str:
    return ", ".join(f"{count:,} {code}" for code, count in sorted(codes.items()))
