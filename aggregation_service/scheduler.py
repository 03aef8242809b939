"""When a run begins, and what becomes of one that the database ends."""

import random
import threading
import time
from itertools import pairwise

import psycopg

from aggregation_service.fleet import Fleet
from aggregation_service.materialise import Materialiser
from aggregation_service.metrics import Metrics
from aggregation_service.repair import Repairer
from aggregation_service.settings import AggregationSettings
from aggregation_service.store import Store
from shared import log
from shared.db import Fault, backoff_seconds, classify
from shared.errors import ConfigurationError, PlumblineError
from shared.failpoints import Failpoints

_log = log.get(__name__)
_GRACE_S = 8.0  # what a statement may still take after SIGTERM
_ACKS = 10_000


class Scheduler:
    """Runs, one after the other, on one connection."""

    def __init__(self, settings: AggregationSettings, store: Store, metrics: Metrics, failpoints: Failpoints) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._failpoints = failpoints
        chunk = settings.aggregation_chunk_readings
        self._materialiser = Materialiser(store, metrics, failpoints, chunk)
        self._repairer = Repairer(store, metrics, failpoints, chunk)
        self._fleet = Fleet(store, metrics, failpoints)
        self.more = False  # work waits that the last run had no room for

    def run(self, stop: threading.Event) -> None:
        """Runs until `stop`; goes on by itself when the database comes back.

        Raises:
            PlumblineError: something is wrong that waiting won't mend.
        """
        threading.Thread(target=self._hurry, args=[stop], daemon=True).start()
        failures = 0
        while not stop.is_set():
            started = time.monotonic()
            try:
                self.run_once(stop)
            except psycopg.Error as error:
                self._retry_or_stop(error)
                failures += 1
                wait = backoff_seconds(failures, random.random())  # noqa: S311
            else:
                failures = 0
                interval = 0.0 if self.more else self._settings.aggregation_interval_seconds
                wait = interval - (time.monotonic() - started)
            stop.wait(max(0.0, wait))
        self._store.close()

    def run_once(self, stop: threading.Event) -> bool:
        """One run; False: another process has the turn.

        Raises:
            psycopg.Error: the database ended it. Nothing is half done.
        """
        self.more = False
        if not self._store.my_turn():
            self._metrics.my_turn.set(0)
            return False
        self._metrics.my_turn.set(1)
        with self._metrics.run_seconds.time():
            self._move_watermarks()
            self._failpoints.hit("aggregation.after_watermarks")
            self._materialiser.run(stop)
            late = self._repairer.run(stop)
            self.more = self._fleet.run(stop, late=late, history=True) or late
            self._store.clear_outbox(_ACKS)
        self._report()
        return True

    def _move_watermarks(self) -> None:
        known = [level.width for level in self._store.levels()]
        wanted = self._settings.levels()
        if missing := sorted(set(wanted) - set(known)):
            check_divisible(sorted({*known, *wanted}))
            self._store.add_levels(missing)
        for width in sorted({*known, *wanted}):
            self._store.move_watermark(width, self._settings.aggregation_delay_seconds)

    def _report(self) -> None:
        now = time.time()
        for level in self._store.levels():
            self._metrics.watermark_age.labels(level.width).set(now - (level.watermark or 0))
            self._metrics.stored_age.labels(level.width).set(now - (level.until or 0))
        entries, age = self._store.dirty_backlog()
        self._metrics.dirty.set(entries)
        self._metrics.dirty_age.set(age)
        self._metrics.last_success.set(now)

    def _retry_or_stop(self, error: psycopg.Error) -> None:
        self._store.close()
        if classify(error) is not Fault.RETRY:
            reason = str(error).strip().splitlines()[0]
            raise PlumblineError(
                f"aggregation stopped: Postgres refused with {error.sqlstate}: {reason} "
                "→ check that migrations are up to date (`python -m shared.migrations`) and the role's privileges"
            ) from error
        self._metrics.failures.inc()
        _log.warning("database_away", sqlstate=error.sqlstate, error=str(error).strip())

    def _hurry(self, stop: threading.Event) -> None:
        """A statement that is still running a while after `stop` is ended."""
        stop.wait()
        time.sleep(_GRACE_S)
        self._store.cancel()


def check_divisible(widths: list[int]) -> None:
    """Raises ConfigurationError where a level isn't a whole number of times in the next."""
    for width, longer in pairwise(widths):
        if longer % width:
            raise ConfigurationError(
                f"AGGREGATION_LEVELS: levels of {width} s and {longer} s: one isn't a part of the other "
                f"→ choose levels that fit those that are stored: {', '.join(map(str, widths))} s"
            )
