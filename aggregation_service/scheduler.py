"""When a run begins, and what becomes of one that the database ends."""

import random
import threading
import time
from itertools import pairwise

import psycopg

from aggregation_service import backlog_store
from aggregation_service.fleet import Fleet
from aggregation_service.materialise import Materialiser
from aggregation_service.metrics import Metrics
from aggregation_service.repair import Repairer
from aggregation_service.settings import AggregationSettings
from aggregation_service.store import Store, TurnLost
from aggregation_service.team import Team
from aggregation_service.windows import Window
from shared import log, tracing
from shared.db import Fault, backoff_seconds, classify
from shared.errors import ConfigurationError, PlumblineError
from shared.failpoints import Failpoints
from shared.plain_errors import reason

_log = log.get(__name__)
_GRACE_S = 8.0  # what a statement may still take after SIGTERM
_AGAIN_S = 0.5
_ACKS = 10_000


class Scheduler:
    """Runs, one after the other; `store` is the connection that has the turn, the team's do the work."""

    def __init__(
        self, settings: AggregationSettings, store: Store, team: Team, metrics: Metrics, failpoints: Failpoints
    ) -> None:
        self._settings = settings
        self._store = store
        self._team = team
        self._metrics = metrics
        self._failpoints = failpoints
        chunk = settings.aggregation_chunk_readings
        self._materialiser = Materialiser(store, team, metrics, failpoints, chunk)
        self._repairer = Repairer(store, team, metrics, failpoints, chunk)
        self._fleet = Fleet(store, metrics, failpoints)
        self.more = False  # work waits that the last run had no room for
        metrics.expect(settings.levels())

    def run(self, stop: threading.Event) -> None:
        """Runs until `stop`; goes on by itself when the database comes back.

        Raises:
            PlumblineError: something is wrong that waiting won't mend.
        """
        ended = threading.Event()
        threading.Thread(target=self._hurry, args=[stop, ended], daemon=True).start()
        failures = 0
        while not stop.is_set():
            started = time.monotonic()
            try:
                self.run_once(stop)
            except (psycopg.Error, TurnLost) as error:
                self._retry_or_stop(error)
                failures += 1
                wait = backoff_seconds(failures, random.random())  # noqa: S311
            else:
                failures = 0
                interval = 0.0 if self.more else self._settings.aggregation_interval_seconds
                wait = interval - (time.monotonic() - started)
            stop.wait(max(0.0, wait))
        ended.set()
        self.close()

    def run_once(self, stop: threading.Event) -> bool:
        """One run; False: another process has the turn.

        Raises:
            psycopg.Error: the database ended it. Nothing is half done.
            TurnLost: another process took the turn.
        """
        self.more = False
        epoch = self._store.take_turn()
        self._metrics.my_turn.set(epoch is not None)
        if epoch is None:
            self._metrics.rests()
            self._metrics.database_up.set(1)
            return False
        with self._metrics.run_seconds.time(), tracing.inside(tracing.start("run aggregation")):
            self._work(epoch, (), stop)
            self._store.clear_outbox(_ACKS)
        self._metrics.last_success.set(time.time())
        self._metrics.database_up.set(1)
        return True

    def close(self) -> None:
        """Gives up the turn."""
        self._team.close()

    def _work(self, epoch: int, under_way: tuple[Window, ...], stop: threading.Event) -> None:
        """Stores what is closed, then works late data in; goes on here between the slices of a window that is long.

        So closing a day, whose windows are `under_way`, holds up no minute. Levels in such a window wait for its end.
        """
        interval = self._settings.aggregation_interval_seconds
        below = under_way[-1].finest if under_way else None
        looked = time.monotonic()
        while not stop.is_set():
            self._move_watermarks()
            self._failpoints.hit("aggregation.after_watermarks")
            window = self._materialiser.next_window(below)
            if window is None:
                break
            for _ in self._materialiser.store(window, under_way, epoch, stop, interval):
                self._work(epoch, (*under_way, window), stop)
            if time.monotonic() - looked > interval:  # history is many windows
                self._follow(epoch, under_way, stop)
                looked = time.monotonic()
        self._follow(epoch, under_way, stop)

    def _follow(self, epoch: int, under_way: tuple[Window, ...], stop: threading.Event) -> None:
        """Late data, and then what is made of stored rows."""
        late = self._repairer.run(epoch, under_way, stop, self._settings.aggregation_interval_seconds)
        self.more = self._fleet.run(stop, late=late, history=not under_way) or late
        self._report()

    def _move_watermarks(self) -> None:
        known = [level.width for level in self._store.levels()]
        wanted = self._settings.levels()
        if missing := sorted(set(wanted) - set(known)):
            check_divisible(sorted({*known, *wanted}))
            self._store.add_levels(missing)
        self._store.move_watermarks(sorted({*known, *wanted}), self._settings.aggregation_delay_seconds)

    def _report(self) -> None:
        for level in self._store.levels():
            self._metrics.stands(level, self._settings.aggregation_delay_seconds)
        self._metrics.waits(*backlog_store.backlog(self._store.connection))

    def _retry_or_stop(self, error: psycopg.Error | TurnLost) -> None:
        self.close()
        if isinstance(error, TurnLost):
            _log.warning("turn_lost")
            return
        if classify(error) is not Fault.RETRY:
            raise PlumblineError(
                f"aggregation stopped: Postgres refused with {error.sqlstate}: {reason(error)} "
                "→ check that migrations are up to date (`python -m shared.migrations`) and the role's privileges"
            ) from error
        self._metrics.failures.inc()
        if (error.sqlstate or "").startswith("40"):
            _log.warning("run_conflicted", sqlstate=error.sqlstate, error=reason(error))
        else:
            self._metrics.database_up.set(0)
            _log.warning("database_away", sqlstate=error.sqlstate, error=reason(error))

    def _hurry(self, stop: threading.Event, ended: threading.Event) -> None:
        """Statements that are still running a while after `stop` are ended, and those that follow them."""
        stop.wait()
        ended.wait(_GRACE_S)
        while not ended.wait(_AGAIN_S):
            self._team.cancel()


def check_divisible(widths: list[int]) -> None:
    """Raises ConfigurationError where a level isn't a whole number of times in the next."""
    for width, longer in pairwise(widths):
        if longer % width:
            raise ConfigurationError(
                f"AGGREGATION_LEVELS: levels of {width} s and {longer} s: one isn't a part of the other "
                f"→ choose levels that fit those that are stored: {', '.join(map(str, widths))} s"
            )
