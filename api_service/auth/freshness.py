"""When an issuer's keys are fetched again, and how long the last ones count. Pure: `now` is a parameter, in seconds."""

import math
from dataclasses import dataclass

KEPT_S = 300.0
_KEPT_AT_LEAST_S = 60.0
# One fetch in so long, whatever key ids tokens name; and the pace while the provider is away.
COOL_DOWN_S = 30.0


@dataclass(slots=True)
class Freshness:
    """What happened, and what follows from it."""

    max_stale_s: float
    due: float = -math.inf
    _fetched: float = -math.inf
    _asked: float = -math.inf
    _failures: int = 0

    def usable(self, now: float) -> bool:
        """Whether what was fetched last still counts."""
        return now - self._fetched <= self.max_stale_s

    def fetched(self, now: float, max_age_s: float | None) -> None:
        """It came; the provider may ask for less patience, but not for much less. It is due before it is too old."""
        self._fetched, self._failures = now, 0
        asked = max(_KEPT_AT_LEAST_S, KEPT_S if max_age_s is None else max_age_s)
        self.due = now + min(KEPT_S, asked, self.max_stale_s / 2)

    def failed(self, now: float) -> None:
        """It didn't come. As long as nothing counts nobody gets in: then the first attempts follow sooner."""
        pause = COOL_DOWN_S if self.usable(now) else min(COOL_DOWN_S, 2.0**self._failures)
        self._failures = min(self._failures + 1, 10)
        self.due = now + pause

    def ask(self, now: float) -> bool:
        """Somebody names a key that we don't have: whether to look now. Else it is looked once that is allowed."""
        allowed = max(self._asked + COOL_DOWN_S, self.due if self._failures else -math.inf)
        if now >= allowed:
            self._asked = now
            return True
        self.due = min(self.due, allowed)
        return False
