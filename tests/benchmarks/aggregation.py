"""How fast closed buckets are stored, by one worker and by two, beside plain SQL for the finest level alone.

1,000 devices with 4 metrics, an event a second; the aggregator runs in this process, on an empty table of statistics.
The plain SQL is measured before and after each run. Needs the Postgres of DB_* on this machine. Prints one JSON line a
number of workers.
"""

import argparse
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import psycopg

from shared import lifecycle
from shared.errors import PlumblineError
from tests import aggregated, servers
from tests.benchmarks import fleet
from tests.benchmarks.consuming import settle
from tests.benchmarks.figures import beside, report, say, spread
from tests.benchmarks.fleet import DEVICES, Stretch
from tests.benchmarks.load import METRICS, START_S
from tests.benchmarks.months import forget
from tests.servers import Database

LIMIT = 0.6
LEVELS = (60, 3_600, 86_400)
WORKERS = (1, 2)

# What a person would write: one level, one query, percentiles by the server.
PLAIN_SQL = """
CREATE TABLE plain AS
SELECT device, layout, metric, date_trunc('minute', ts) AS bucket, count(*), sum(value), min(value), max(value),
    stddev_samp(value), percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]) WITHIN GROUP (ORDER BY value)
FROM events CROSS JOIN unnest(values) WITH ORDINALITY AS r (value, metric)
WHERE ts >= to_timestamp(%(start)s) AND ts < to_timestamp(%(end)s)
GROUP BY device, layout, metric, bucket
"""


def plain_sql(connection: psycopg.Connection, stretch: Stretch) -> float:
    """Seconds of the query over a range of time, into a table."""
    connection.execute("SELECT set_config('work_mem', '64MB', false), set_config('jit', 'off', false)")
    text = PLAIN_SQL % {"start": stretch.start_s, "end": stretch.end_s}
    started = time.perf_counter()
    connection.execute(text.encode())
    elapsed = time.perf_counter() - started
    connection.execute("DROP TABLE plain")
    return elapsed


def store_all(database: Database, **settings: object) -> None:
    """Runs in this process until nothing waits."""
    scheduler, _ = aggregated.scheduler(database, None, **settings)
    try:
        scheduler.run_once(threading.Event())
        while scheduler.more:
            scheduler.run_once(threading.Event())
    finally:
        scheduler.close()


def aggregate(database: Database, connection: psycopg.Connection, readings: int, workers: int) -> float:
    """Seconds of one run of all levels.

    Raises:
        PlumblineError: it stored something else than these readings.
    """
    forget(connection)
    settle(database)
    started = time.perf_counter()
    store_all(database, aggregation_workers=workers)
    elapsed = time.perf_counter() - started
    stored: dict[int, int] = dict(
        connection.execute("SELECT level, sum(count)::int8 FROM stats GROUP BY level").fetchall()
    )
    if stored != dict.fromkeys(LEVELS, readings):
        raise PlumblineError(f"the benchmark's statistics are wrong: {stored} of {readings} readings")
    say(f"{workers} worker{'s' if workers > 1 else ''}: {readings / elapsed:,.0f} readings/s")
    return elapsed


@dataclass(frozen=True)
class Run:
    """Readings a second with so many workers; `ratio`: in parts of the plain SQL's just before and just after."""

    workers: int
    rate: float
    ratio: float


def line(readings: int, runs: Sequence[Run], limits: Sequence[float], alone: Sequence[Run]) -> dict[str, object]:
    """The figures of so many workers; the ratio is the median of the rounds'."""
    rates, ratios = [run.rate for run in runs], [run.ratio for run in runs]
    return {
        "benchmark": "aggregation",
        "workers": runs[0].workers,
        "readings": readings,
        "readings_per_second": round(median(rates)),
        "spread": spread(rates),
        "limit": {
            "name": "plain SQL percentile_cont GROUP BY, 1m only",
            "readings_per_second": round(median(limits)),
            "spread": spread(limits),
            "ratio": LIMIT,
        },
        "ratio": round(median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "ratio_to_one_worker": round(median(rates) / median(run.rate for run in alone), 3),
        "ok": median(ratios) >= LIMIT,
    }


def main() -> int:
    """Fills a database, rolls it up both ways in turn, prints the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.aggregation",
        description=__doc__,
        epilog="example: python -m tests.benchmarks aggregation --readings 12000000 --rounds 1",
    )
    parser.add_argument("--readings", type=int, default=4_000_000, help="4 metrics of 1,000 devices (default: 4000000)")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    stretch = Stretch(START_S, max(1, options.readings // (DEVICES * len(METRICS))))
    turns, seconds = list(WORKERS) * options.rounds, []
    with servers.database(os.environ) as database, database.connect() as connection:
        fleet.register(connection)
        fleet.fill(connection, [stretch])
        plain_sql(connection, stretch)  # reads the table a first time
        plain = [plain_sql(connection, stretch)]
        for workers in turns:
            seconds.append(aggregate(database, connection, stretch.readings, workers))
            plain.append(plain_sql(connection, stretch))
    rates, limits = [stretch.readings / each for each in seconds], [stretch.readings / each for each in plain]
    runs = list(map(Run, turns, rates, beside(limits, rates)))
    by_workers = [[run for run in runs if run.workers == workers] for workers in WORKERS]
    return report([line(stretch.readings, some, limits, by_workers[0]) for some in by_workers])


if __name__ == "__main__":
    lifecycle.run(main)
