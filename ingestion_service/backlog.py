"""How far acks are behind commits, and how long a batch waits for that: each at most for a bounded time."""

import threading
import time
from datetime import UTC, datetime

from ingestion_service.metrics import Metrics


class Backlog:
    """Commits of partitions that aren't acknowledged yet; for several threads."""

    def __init__(self, most: int, hold_s: float, metrics: Metrics) -> None:
        self._most = most  # 0: no bound
        self._hold_s = hold_s
        self._metrics = metrics
        self._lock = threading.Lock()
        self._commits = 0
        self._oldest: datetime | None = None
        self._room = threading.Event()
        self._room.set()
        # Told when it is asked for: publishing may be stuck just now.
        metrics.ack_lag.set_function(self._age_s)
        metrics.ack_backlog.set_function(lambda: self._commits)

    def add(self, commits: int) -> None:
        """So many more wait."""
        with self._lock:
            self._oldest = self._oldest or datetime.now(UTC)
            self._set(self._commits + commits)

    def found(self, commits: int, oldest: datetime | None) -> None:
        """So many wait in all; the oldest was committed then."""
        with self._lock:
            self._oldest = oldest
            self._set(commits)

    def told(self, commits: int) -> None:
        """So many of those found wait no longer."""
        with self._lock:
            left = max(0, self._commits - commits)
            self._oldest = datetime.now(UTC) if left else None  # what is left came meanwhile
            self._set(left)

    def hold(self) -> None:
        """Waits for room, within bounds."""
        if self._room.is_set():
            return
        started = time.monotonic()
        self._room.wait(self._hold_s)
        self._metrics.ack_held.inc(time.monotonic() - started)

    def problem(self) -> str | None:
        """Why acks are behind the bound, if they are."""
        if self._room.is_set():
            return None
        return f"acks are behind: {self._commits} commits wait, ACK_BACKLOG_MAX is {self._most}; see the ack topics"

    def _set(self, commits: int) -> None:
        self._commits = commits
        if self._most and commits > self._most:
            self._room.clear()
        else:
            self._room.set()

    def _age_s(self) -> float:
        oldest = self._oldest
        return 0.0 if oldest is None else max(0.0, (datetime.now(UTC) - oldest).total_seconds())
