"""What late data costs: 400 old minutes of one device among 1,000, beside what the whole fleet's minutes would.

12,000,000 readings: 1,000 devices with 4 metrics, an event every 10 s for 500 minutes, all of it stored. Then an event
of one device comes late for each of 400 minutes, and the aggregator runs: how long, and how many rows of `events` are
read. Plain SQL over the same minutes of all devices is what a refresh pays that can't tell them apart. At last 100
devices come back with a week, an event a minute: what a process works in a second, and its peak of memory.
Needs the Postgres of DB_* on this machine. Prints JSON lines.
"""

import argparse
import os
import time

import psycopg

from shared import lifecycle
from shared.errors import PlumblineError
from tests import servers
from tests.benchmarks import fleet
from tests.benchmarks.aggregation import plain_sql, store_all
from tests.benchmarks.arrivals import Arrivals
from tests.benchmarks.consuming import settle
from tests.benchmarks.figures import MIB, report, say
from tests.benchmarks.fleet import ALL, DEVICES, Stretch
from tests.benchmarks.load import DAY_S, METRICS, START_S
from tests.benchmarks.service import aggregate, wait_for
from tests.servers import Database

LIMIT_S, LIMIT_MIB = 1.0, 300
STEP_S, MINUTE_S, LATE_MINUTES = 10, 60, 400
DEVICE = DEVICES // 2
BACK = 100  # devices that come back
_DEADLINE_S = 30.0

# Of all partitions. A backend's own count shows once it has ended.
_READ = """
SELECT coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)::int8
FROM pg_stat_user_tables WHERE relid IN (SELECT relid FROM pg_partition_tree('events') WHERE isleaf)
"""
_AGGREGATING = (
    "SELECT count(*) FROM pg_stat_activity WHERE usename = 'plumbline_aggregation' AND datname = current_database()"
)

Line = dict[str, object]


def rows_read(connection: psycopg.Connection) -> int:
    """Rows of `events` that were read so far, once no aggregator is connected any more."""
    wait_for(lambda: _one(connection, _AGGREGATING) == 0, "the aggregator's connections to be gone", _DEADLINE_S)
    return _one(connection, _READ)


def _one(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def one_device(database: Database, connection: psycopg.Connection, stored: Stretch) -> Line:
    """Minutes of a device come late."""
    late = Stretch(stored.start_s + STEP_S // 2, LATE_MINUTES, MINUTE_S, range(DEVICE, DEVICE + 1))
    with Arrivals(database) as arrivals:
        came_late = sum(map(arrivals.write, late.batches()))
    if came_late != LATE_MINUTES:
        raise PlumblineError(f"the benchmark is wrong: {came_late} events came late, not {LATE_MINUTES}")
    settle(database)
    before = rows_read(connection)
    started = time.perf_counter()
    store_all(database)
    seconds = time.perf_counter() - started
    read = rows_read(connection) - before
    check(connection, stored.readings + late.readings)
    plain = plain_sql(connection, Stretch(stored.start_s, LATE_MINUTES * MINUTE_S // STEP_S, STEP_S))
    say(f"{LATE_MINUTES} late minutes: {seconds:.2f} s and {read:,} rows; plain SQL of the fleet's {plain:.1f} s")
    return {
        "benchmark": "late",
        "late_minutes": LATE_MINUTES,
        "readings_stored": stored.readings,
        "seconds": round(seconds, 3),
        "rows_of_events_read": read,
        "events_of_the_device": stored.count + LATE_MINUTES,
        "events_of_the_fleet": stored.events,
        "limit": {"name": "seconds of one run", "seconds": LIMIT_S},
        "peer": {"name": "plain SQL of these minutes of all devices, 1m only", "seconds": round(plain, 3)},
        "ratio": round(seconds / LIMIT_S, 3),
        "ratio_to_peer": round(seconds / plain, 4),
        "ok": seconds <= LIMIT_S,
    }


def backlog(database: Database, connection: psycopg.Connection, stored: Stretch, entries: int) -> Line:
    """Devices come back with days before all that is stored; one process works through it."""
    minutes = entries // BACK
    start = (stored.start_s - minutes * MINUTE_S) // DAY_S * DAY_S
    back = Stretch(start, minutes, MINUTE_S, ALL[:BACK])
    fleet.ensure_days(connection, back.start_s, back.end_s)
    before = _one(connection, "SELECT sum(count)::int8 FROM stats WHERE level = 60")
    with Arrivals(database) as arrivals:
        came_late = sum(map(arrivals.write, back.batches()))
    connection.execute("VACUUM ANALYZE events")
    waiting = _one(connection, "SELECT count(*) FROM dirty")
    if came_late != back.events or waiting != back.events:
        raise PlumblineError(f"the benchmark is wrong: {came_late} came late and {waiting} wait of {back.events}")
    settle(database)
    once = aggregate(database)
    check(connection, before + back.readings)
    say(f"{waiting:,} entries: {once.seconds:.1f} s, {once.peak_bytes / MIB:.0f} MiB")
    return {
        "benchmark": "late",
        "backlog_entries": waiting,
        "devices": BACK,
        "seconds": round(once.seconds, 1),
        "entries_per_second": round(waiting / once.seconds),
        "cpu_seconds": round(once.cpu_seconds, 1),
        "mib_peak": round(once.peak_bytes / MIB, 1),
        "limit": {"name": "peak of resident memory", "mib": LIMIT_MIB},
        "ratio": round(once.peak_bytes / MIB / LIMIT_MIB, 3),
        "ok": once.peak_bytes <= LIMIT_MIB * MIB,
    }


def check(connection: psycopg.Connection, readings: int) -> None:
    """Raises PlumblineError if a level holds something else than these readings, or something still waits."""
    rows = connection.execute("SELECT level, sum(count)::int8 FROM stats GROUP BY level").fetchall()
    waiting = _one(connection, "SELECT count(*) FROM dirty")
    if {count for _, count in rows} != {readings} or waiting:
        raise PlumblineError(f"the benchmark's statistics are wrong: {rows} of {readings}, {waiting} entries wait")


def main() -> int:
    """Fills, stores, comes late, and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.late",
        description=__doc__,
        epilog="example: python -m tests.benchmarks late --readings 2000000 --entries 100000",
    )
    parser.add_argument("--readings", type=int, default=12_000_000, help="of 400 minutes at least (default: 12000000)")
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the backlog (default: 1000000)")
    options = parser.parse_args()
    count = max(LATE_MINUTES * MINUTE_S // STEP_S, options.readings // (DEVICES * len(METRICS)))
    stored = Stretch(START_S, count, STEP_S)
    with servers.database(os.environ) as database, database.connect() as connection:
        fleet.register(connection)
        fleet.fill(connection, [stored])
        say(f"{stored.readings:,} readings stored in {aggregate(database).seconds:.0f} s")
        connection.execute("ANALYZE stats")  # as autovacuum does
        lines = [one_device(database, connection, stored), backlog(database, connection, stored, options.entries)]
    return report(lines)


if __name__ == "__main__":
    lifecycle.run(main)
