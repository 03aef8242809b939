"""What aggregation costs while 5,000 events a second come in, and how old the stored minutes get.

1,000 devices with 4 metrics send evenly for some minutes, written by ingestion's own transaction, while the aggregation
service runs with its ordinary settings. Counted are the CPU seconds of the service and of its backends in Postgres. In
so short a time no hour and no day closes: what these cost is measured on a day that is over, where they are stored one
after the other, and scaled to the rate. The sum is what a steady state costs.
Needs the Postgres of DB_* on this machine. Prints JSON lines.
"""

import argparse
import os
import time

import psutil
import psycopg

from shared import lifecycle
from shared.errors import PlumblineError
from tests import servers
from tests.benchmarks import arrivals, fleet
from tests.benchmarks.consuming import settle
from tests.benchmarks.figures import percentile, report, say
from tests.benchmarks.fleet import DEVICES, Stretch
from tests.benchmarks.load import METRICS, START_S
from tests.benchmarks.service import aggregate, aggregator, wait_for
from tests.benchmarks.usage import Meter
from tests.servers import Database

LIMIT_CORE = 0.25
LEVELS = {"1m": 60, "1h": 3_600, "1d": 86_400}
_CLOSED_S = 1_000  # of a day that is over
_LOOK_S = 0.5
_START_S = 30.0

_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE usename = 'plumbline_aggregation' AND datname = current_database()"
# Once a minute of what comes is stored.
_AGE = """
SELECT extract(epoch FROM now() - until)::float8 FROM materialized
WHERE level = 60 AND EXISTS (SELECT FROM stats WHERE level = 60 AND bucket > now() - interval '3 minutes')
"""

Line = dict[str, object]


class Backends:
    """CPU seconds of the aggregator's connections in Postgres; one that ended keeps what it was last seen with."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._began = self._now()
        self._last = dict(self._began)

    def cpu_seconds(self) -> float:
        """Since this was made; to be called often."""
        self._last |= self._now()
        return sum(seconds - self._began.get(pid, 0.0) for pid, seconds in self._last.items())

    def _now(self) -> dict[int, float]:
        found = {}
        for (pid,) in self._connection.execute(_BACKENDS):
            try:
                times = psutil.Process(pid).cpu_times()
            except psutil.NoSuchProcess:
                continue
            found[pid] = times.user + times.system
        return found


def steady(database: Database, connection: psycopg.Connection, rate: int, seconds: float) -> dict[str, float]:
    """Cores of the service and of its backends, and the ages (s) of the last stored minute's end."""
    ages: list[float] = []
    with arrivals.coming(database, rate, seconds + _START_S), aggregator(database) as process:
        wait_for(lambda: connection.execute(_BACKENDS).rowcount > 0, "the aggregator's connection", _START_S)
        service, backends = psutil.Process(process.pid), Backends(connection)
        began, before = time.perf_counter(), sum(service.cpu_times()[:2])
        events = arrivals.persisted(connection)
        while (elapsed := time.perf_counter() - began) < seconds:
            ages += [age for (age,) in connection.execute(_AGE)]
            in_postgres = backends.cpu_seconds()
            time.sleep(_LOOK_S)
        used = sum(service.cpu_times()[:2]) - before
        came = (arrivals.persisted(connection) - events) / elapsed
    if came < 0.95 * rate or not ages:
        raise PlumblineError(
            f"{came:,.0f} events a second came, {len(ages)} ages → let nothing else run here, for longer"
        )
    ages.sort()
    return {
        "seconds": round(elapsed),
        "events_per_second": round(came),
        "service_cores": round(used / elapsed, 4),
        "postgres_cores": round(in_postgres / elapsed, 4),
        "age_p50_seconds": round(percentile(ages, 50), 1),
        "age_max_seconds": round(ages[-1], 1),
    }


def closing(database: Database, connection: psycopg.Connection) -> dict[str, float]:
    """CPU seconds of service and Postgres a million readings, for each level alone; an idle start is left out."""
    day = Stretch(START_S, _CLOSED_S)
    fleet.fill(connection, [day])
    aggregate(database)
    idle = _cpu(database, connection)
    spent = {}
    for name, width in LEVELS.items():
        for table in ("stats", "fleet_stats", "fleet_until"):
            connection.execute(f"DELETE FROM {table} WHERE level = {width}".encode())  # noqa: S608  made of constants
        connection.execute("UPDATE materialized SET until = '-infinity' WHERE level = %s", [width])
        spent[name] = round((_cpu(database, connection) - idle) * 1e6 / day.readings, 3)
    return spent


def _cpu(database: Database, connection: psycopg.Connection) -> float:
    """Of a run until nothing is left."""
    settle(database)
    meter = Meter([], connection)
    return aggregate(database).cpu_seconds + meter.cpu_seconds()["postgres"]


def line(live: dict[str, float], closed: dict[str, float]) -> Line:
    """All of it beside the limit."""
    readings = live["events_per_second"] * len(METRICS)
    longer = {name: round(seconds * readings / 1e6, 4) for name, seconds in closed.items() if name != "1m"}
    cores = live["service_cores"] + live["postgres_cores"] + sum(longer.values())
    say(f"{cores:.3f} of a core in all: minutes {live}, longer levels {longer}")
    return {
        "benchmark": "steady",
        "devices": DEVICES,
        "metrics": len(METRICS),
        **live,
        "cores_of_longer_levels": longer,
        "cpu_seconds_per_million_readings": closed,
        "cores": round(cores, 3),
        "limit": {"name": "of a core, service and its part of Postgres together", "cores": LIMIT_CORE},
        "ratio": round(cores / LIMIT_CORE, 3),
        "ok": cores <= LIMIT_CORE,
    }


def main() -> int:
    """Measures both and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.steady",
        description=__doc__,
        epilog="example: python -m tests.benchmarks steady --seconds 60",
    )
    parser.add_argument("--rate", type=int, default=5_000, help="events a second (default: 5000)")
    parser.add_argument("--seconds", type=float, default=180, help="(default: 180)")
    options = parser.parse_args()
    with servers.database(dict(os.environ)) as database, database.connect() as connection:
        fleet.register(connection)
        closed = closing(database, connection)
        live = steady(database, connection, options.rate, options.seconds)
    return report([line(live, closed)])


if __name__ == "__main__":
    lifecycle.run(main)
