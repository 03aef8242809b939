"""A backfill's work, slice by slice: a transaction reads events, writes what differs and moves the position."""

import random
import time
from collections.abc import Sequence

import psycopg

from aggregation_service.rollup import roll_targets
from aggregation_service.statistics_store import changing
from aggregation_service.store import Store
from aggregation_service.windows import Target
from ops.backfill import store as backfills
from ops.backfill.changes import Counts, changes
from ops.backfill.plan import DAY_S, Job, Position, Stretch, following
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

    def run(self, job: Job, stretches: Sequence[Stretch], devices: Sequence[int], advance: Advance) -> None:
        """All stretches that are left, of these devices (ids, in order); progress is in device-days.

        Raises:
            PlumblineError: others kept writing the same rows.
            psycopg.Error: the database ended it.
        """
        levels = self._store.levels()
        for stretch in stretches:
            targets = job.range.targets(stretch, levels)
            if not stretch.events:
                self._count(job, targets, Position(stretch.end))
                advance(len(devices) * (stretch.end - stretch.start) // DAY_S, 0)
                continue
            self._store.make_partitions(targets)
            self._day(job, (stretch, targets), devices, advance)

    def _day(self, job: Job, day: tuple[Stretch, Sequence[Target]], devices: Sequence[int], advance: Advance) -> None:
        """A day's devices: one at first, then as many at a time as their readings and rows allow."""
        stretch, targets = day
        first, size = job.position.device if stretch.start == job.position.day else 0, 1
        left = [device for device in devices if device >= first]
        while left:
            some, left = left[:size], left[size:]
            reached = Position(stretch.start, left[0]) if left else Position(stretch.end)
            counts = self._tried(job, targets, some, reached)
            size = following(len(some), counts, self._chunk)
            advance(len(some), counts.readings)

    def _count(self, job: Job, targets: Sequence[Target], then: Position) -> None:
        """Days without events: all their rows are kept."""
        with self._store.snapshot():
            kept = sum(backfills.count(self._store.connection, target, job.devices) for target in targets)
            backfills.advance(self._store.connection, job, then, Counts(kept=kept))

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
