"""How fast closed buckets are stored, beside the plain SQL for the finest level alone, in the same run.

`python -m tests.benchmarks.aggregation [--readings 4000000]` with the DB_ variables of a running stack's stack.env.
It makes a database of its own on that server and drops it. One JSON line on stdout.
"""

import argparse
import json
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import psycopg
from prometheus_client import CollectorRegistry
from psycopg import sql
from psycopg.conninfo import make_conninfo

from aggregation_service.metrics import Metrics
from aggregation_service.scheduler import Scheduler
from aggregation_service.settings import AggregationSettings
from aggregation_service.store import Store
from aggregation_service.team import Team
from shared import lifecycle, pgcopy
from shared.errors import PlumblineError
from shared.failpoints import Failpoints
from shared.migrations import migrate
from shared.settings import DatabaseSettings, load

DEVICES, METRICS, BATCH_SECONDS = 1_000, 4, 20
START = np.datetime64("2026-11-01T00:00:00", "us")

# What a person would write: one level, one query, percentiles by the server.
PLAIN_SQL = """
CREATE TABLE plain AS
SELECT device, layout, metric, date_trunc('minute', ts) AS bucket, count(*), sum(value), min(value), max(value),
    stddev_samp(value), percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]) WITHIN GROUP (ORDER BY value)
FROM events CROSS JOIN unnest(values) WITH ORDINALITY AS r (value, metric)
GROUP BY device, layout, metric, bucket
"""


def main() -> int:
    """Fills a database, rolls it up both ways, prints the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.aggregation", description=__doc__)
    parser.add_argument("--readings", type=int, default=4_000_000, help="4 metrics of 1,000 devices (default: 4000000)")
    wanted = parser.parse_args().readings
    with database(load(DatabaseSettings)) as conninfo:
        readings = fill(conninfo, max(1, wanted // (DEVICES * METRICS)))
        plain = plain_sql(conninfo)
        seconds = aggregate(conninfo, readings)
    rate, limit = readings / seconds, readings / plain
    sys.stdout.write(
        json.dumps(
            {
                "benchmark": "aggregation",
                "readings": readings,
                "seconds": round(seconds, 3),
                "readings_per_second": round(rate),
                "limit": {"name": "plain SQL percentile_cont GROUP BY, 1m only", "readings_per_second": round(limit)},
                "ratio": round(rate / limit, 3),
            }
        )
        + "\n"
    )
    return 0


@contextmanager
def database(settings: DatabaseSettings) -> Iterator[str]:
    """A migrated database that nobody else uses."""
    server, name = settings.conninfo("plumbline-benchmark"), f"bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            conninfo = make_conninfo(server, dbname=name)
            migrate(conninfo, {})
            yield conninfo
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def fill(conninfo: str, seconds: int) -> int:
    """An event a second and device, in the order in which batches of ingestion would come; returns the readings."""
    generator = np.random.default_rng(7)
    device = np.arange(1, DEVICES + 1, dtype=np.int32)
    days = [str(START.astype("datetime64[D]") + day) for day in range(seconds // 86_400 + 1)]
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SELECT ensure_event_partitions(%s::date[])", [days])
        names = [f"device-{number}" for number in device]
        connection.execute("SELECT count(*) FROM register_devices(%s, %s)", [names, DEVICES])
        connection.execute("SELECT register_layout(%s, 1)", [[f"metric-{number}" for number in range(METRICS)]])
        with connection.cursor() as cursor, cursor.copy("COPY events FROM STDIN (FORMAT binary)") as copy:
            copy.write(pgcopy.HEADER)
            for first in range(0, seconds, BATCH_SECONDS):
                batch = np.arange(first, min(first + BATCH_SECONDS, seconds)).astype("timedelta64[s]")
                ts = np.tile(START + batch, DEVICES)
                values = generator.normal(50, 10, (len(ts), METRICS))
                layout = np.ones(len(ts), np.int32)
                copy.write(pgcopy.encode([np.repeat(device, len(batch)), ts, layout, values, None]))
            copy.write(pgcopy.TRAILER)
        connection.execute("VACUUM ANALYZE events")  # neither side pays for hint bits
    return seconds * DEVICES * METRICS


def plain_sql(conninfo: str) -> float:
    """Seconds of the query, into a table."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SELECT set_config('work_mem', '64MB', false), set_config('jit', 'off', false)")
        started = time.perf_counter()
        connection.execute(PLAIN_SQL)
        elapsed = time.perf_counter() - started
        connection.execute("DROP TABLE plain")
    return elapsed


def aggregate(conninfo: str, readings: int) -> float:
    """Seconds of one run of the service on all levels, as a fresh process would do it."""
    settings = AggregationSettings.model_validate({"database_url": conninfo})
    store = Store(conninfo)
    team = Team([Store(conninfo) for _ in range(settings.aggregation_workers)])
    scheduler = Scheduler(settings, store, team, Metrics(CollectorRegistry()), Failpoints(""))
    started = time.perf_counter()
    scheduler.run_once(threading.Event())
    elapsed = time.perf_counter() - started
    stored = store.connection.execute("SELECT level, sum(count)::int8 FROM stats GROUP BY level").fetchall()
    scheduler.close()
    if dict(stored) != dict.fromkeys(settings.levels(), readings):
        raise PlumblineError(f"the benchmark's statistics are wrong: {stored} of {readings} readings")
    return elapsed


if __name__ == "__main__":
    lifecycle.run(main)
