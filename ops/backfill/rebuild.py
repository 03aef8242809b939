"""A backfill's work, slice by slice: a transaction reads events, writes what differs and moves the position."""

import random
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

import psycopg

from aggregation_service.pace import Pace
from aggregation_service.rollup import roll_targets
from aggregation_service.statistics_store import changing
from aggregation_service.store import Store
from aggregation_service.windows import Target
from ops.backfill import store as backfills
from ops.backfill.changes import Counts, changes
from ops.backfill.plan import DAY_S, Job, Position
from ops.progress import Advance
from shared.db import backoff_seconds
from shared.errors import PlumblineError
from shared.failpoints import Failpoints

CHUNK_READINGS = 1_000_000
ATTEMPTS = 20
# The aggregator wrote the same rows, or holds them: serialization failure, deadlock, lock timeout.
CONFLICTS = {"40001", "40P01", "55P03"}


class Rebuild:
    """One backfill on one connection. Whatever ends it, the position is that of the last slice that was committed."""

    def __init__(self, store: Store, failpoints: Failpoints, chunk_readings: int = CHUNK_READINGS) -> None:
        self._store = store
        self._failpoints = failpoints
        self._chunk = chunk_readings

    def run(self, job: Job, days: Sequence[int], devices: Sequence[int], advance: Advance) -> None:
        """All days that are left, of these devices (ids, in order).

        Raises:
            PlumblineError: others kept writing the same rows.
            psycopg.Error: the database ended it.
        """
        position = job.position
        levels = self._store.levels()
        for day, following in pairwise([*days, job.range.whole()[1]]):
            targets = job.range.targets(day, levels)
            self._store.make_partitions(targets)
            pace = Pace(self._chunk, DAY_S)
            for some, behind in self._slices(devices, position.device if day == position.day else 0, pace):
                then = Position(following) if behind is None else Position(day, behind)
                counts = self._tried(job, targets, some, then)
                pace.learn(len(some), counts.readings, counts.compared)
                advance(len(some), counts.readings)

    @staticmethod
    def _slices(devices: Sequence[int], first: int, pace: Pace) -> Iterator[tuple[list[int], int | None]]:
        """Devices from the id `first` on, as many at a time as the pace says, and the next one's id."""
        left = [device for device in devices if device >= first]
        while left:
            taken = pace.step()
            some, left = left[:taken], left[taken:]
            yield some, left[0] if left else None

    def _tried(self, job: Job, targets: Sequence[Target], devices: Sequence[int], then: Position) -> Counts:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._slice(job, targets, devices, then)
            except psycopg.Error as error:
                if error.sqlstate not in CONFLICTS:
                    raise
            time.sleep(backoff_seconds(attempt, random.random()))  # noqa: S311
        raise PlumblineError(
            f"backfill {job.id}: others kept changing the same rows → give the same command again, it goes on here"
        )

    def _slice(self, job: Job, targets: Sequence[Target], devices: Sequence[int], then: Position) -> Counts:
        """In one snapshot: late events that commit meanwhile have entries of their own, which stay."""
        connection = self._store.connection
        with changing(connection) as change:
            counts, written, settled = Counts(), {}, {}
            if targets:
                start, end = min(target.start for target in targets), max(target.end for target in targets)
                readings = self._store.readings_of_devices(start, end, devices)
                waiting = backfills.waiting(connection, start, end, devices)
                counts = Counts(readings=len(readings[0]))
                fresh = roll_targets(readings, targets)
                for target in targets:
                    stored = backfills.stored(connection, target, devices)
                    found = changes(fresh[target.width], stored, target.width, waiting)
                    settled[target.width], written[target.width] = found[:2]
                    counts += found[2]
            self._failpoints.hit("backfill.before_write")
            change.replace(written)
            if job.fleet:
                change.note_stale(settled)
            backfills.advance(connection, job, then, counts)
            self._failpoints.hit("backfill.before_commit")
        self._failpoints.hit("backfill.after_commit")
        return counts
