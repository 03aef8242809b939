"""How far the database is behind Kafka, by partition: in records, and in the age of the oldest one that waits.

It stays true while nothing is read: of a partition that is paused or stopped, or while the database is away, the end of
the log is asked for and the time goes on. Whoever stops reading must not look as if all were well.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from ingestion_service.batch import Batch
from ingestion_service.metrics import Metrics

_EVERY_S = 1.0
_MARKS = 128


@dataclass(slots=True)
class _Standing:
    """`stored`: where the database goes on; `end`: the log's; of a mark (offset, moment): what is below is as old."""

    stored: int
    end: int = 0
    marks: list[tuple[int, float]] = field(default_factory=list)  # by offset

    def mark(self, offset: int, moment: float) -> None:
        self.end = max(self.end, offset)
        if offset > self.stored and not (self.marks and self.marks[-1][0] == offset):
            self.marks.append((offset, moment))
            self.marks.sort()
        if len(self.marks) > _MARKS:  # nothing is stored for long: the first ones are what counts
            self.marks = [*self.marks[: _MARKS // 4], *self.marks[_MARKS // 4 :: 2]]


class Lag:
    """For several threads. Moments are epoch seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._standings: dict[int, _Standing] = {}

    def reset(self) -> None:
        """A new term: nothing is ours."""
        with self._lock:
            self._standings.clear()

    def stored(self, partition: int, offset: int) -> None:
        """The database goes on at this offset."""
        with self._lock:
            at = self._standings.setdefault(partition, _Standing(offset))
            if offset < at.stored:  # it went back: what was known of its records is gone
                at.marks.clear()
            at.stored = offset
            at.marks = [mark for mark in at.marks if mark[0] > offset]

    def read(self, batch: Batch) -> None:
        """These records wait to be stored, each span's since its first one's time in Kafka."""
        with self._lock:
            for span in batch.spans:
                at = self._standings.get(span.claim.partition)
                if at is not None and span.records:
                    at.mark(span.start + 1, span.first_ms / 1000)

    def ended(self, ends: Mapping[int, int], now: float) -> None:
        """Where the logs of partitions end now."""
        with self._lock:
            for partition, end in ends.items():
                at = self._standings.get(partition)
                if at is not None:
                    at.end = end  # a topic that was made again ends earlier
                    at.mark(end, now)

    def partitions(self) -> list[int]:
        """Those whose place in the database is known."""
        with self._lock:
            return sorted(self._standings)

    def now(self, now: float) -> dict[int, tuple[int, float]]:
        """(records, seconds) by partition; 0 seconds where nothing waits."""
        with self._lock:
            return {
                number: (
                    max(0, at.end - at.stored),
                    max(0.0, now - min((moment for _, moment in at.marks), default=now)),
                )
                for number, at in self._standings.items()
            }


class LagWatch:
    """A thread that asks Kafka for the ends of the log and tells Prometheus; it alone sets these gauges."""

    def __init__(self, lag: Lag, ends: Callable[[Collection[int]], Mapping[int, int | None]], metrics: Metrics) -> None:
        self._lag, self._ends, self._metrics = lag, ends, metrics
        self._told: set[str] = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lag", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Ends it, within this time: an answer of Kafka that is waited for is worth no more."""
        self._ending.set()
        self._thread.join(timeout_s)

    def look(self) -> None:
        """Asks once."""
        ends = self._ends(self._lag.partitions() or [0])  # without any of our own: whether Kafka answers
        self._metrics.kafka_up.set(bool(ends))
        self._lag.ended({number: end for number, end in ends.items() if end is not None}, time.time())
        self._tell()

    def _tell(self) -> None:
        found = {str(number): values for number, values in self._lag.now(time.time()).items()}
        for number, (records, seconds) in found.items():
            self._metrics.lag.labels(number).set(records)
            self._metrics.lag_seconds.labels(number).set(seconds)
        for number in self._told - found.keys():
            self._metrics.lag.remove(number)
            self._metrics.lag_seconds.remove(number)
        self._told = set(found)

    def _run(self) -> None:
        while not self._ending.wait(_EVERY_S):
            self.look()
