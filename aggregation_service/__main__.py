"""`python -m aggregation_service`: events → statistics of closed buckets, kept right as late data comes."""

import sys
import threading

import psycopg
from prometheus_client import CollectorRegistry

from aggregation_service.metrics import Metrics
from aggregation_service.scheduler import Scheduler
from aggregation_service.settings import AggregationSettings
from aggregation_service.store import Store, TurnLost
from aggregation_service.team import Team
from shared import db, lifecycle, log, metrics_server, migrations, tracing
from shared.errors import EXIT_UNAVAILABLE
from shared.failpoints import Failpoints
from shared.settings import command_line, load

_log = log.get(__name__)
_FROZEN_S = 60.0  # a process that is silent for longer, between runs too, loses its turn


def main() -> int:
    """Settings → wiring → run until SIGTERM, or once."""
    parser = command_line(
        AggregationSettings,
        "aggregation_service",
        "Rolls events up into statistics by device, metric and bucket, and makes them again for late data.",
        "DB_HOST=localhost DB_USER=plumbline_aggregation python -m aggregation_service --once",
    )
    parser.add_argument(
        "--once", action="store_true", help="work in what is there and exit; 69 when another process has the turn"
    )
    arguments = parser.parse_args()
    settings = load(AggregationSettings)
    log.configure("aggregation", settings)
    with lifecycle.stop_event() as stop, tracing.configured("aggregation", settings):
        return run(settings, Failpoints.from_environment(), stop, once=arguments.once)


def run(settings: AggregationSettings, failpoints: Failpoints, stop: threading.Event, *, once: bool) -> int:
    """One process's aggregation; returns its exit status.

    Raises:
        PlumblineError: it can't start, or can't go on.
    """
    conninfo = settings.conninfo("plumbline-aggregation")
    db.wait_ready(conninfo, settings.startup_timeout_seconds)
    migrations.require(conninfo)
    registry = CollectorRegistry()
    store = Store(conninfo, idle_seconds=_FROZEN_S + 3 * settings.aggregation_interval_seconds)
    team = Team(store, [Store(conninfo) for _ in range(settings.aggregation_workers)])
    scheduler = Scheduler(settings, store, team, Metrics(registry), failpoints)
    if once:
        return _once(scheduler, conninfo, stop)
    with metrics_server.serve(settings, registry):
        _log.info("started", levels=settings.aggregation_levels)
        scheduler.run(stop)
        _log.info("stopped")
    return 0


def _once(scheduler: Scheduler, conninfo: str, stop: threading.Event) -> int:
    try:
        done = scheduler.run_once(stop)
        while scheduler.more:
            scheduler.run_once(stop)
    except psycopg.OperationalError as error:
        raise db.unavailable(conninfo, error) from error
    except TurnLost:
        done = False
    if not done:
        sys.stderr.write("another aggregator has the turn → stop it first, or leave the work to it\n")
        return EXIT_UNAVAILABLE
    return 0


if __name__ == "__main__":
    lifecycle.run(main)
