"""Bytes that a device takes in a day: its events, and its statistics at each level, indexes included.

10 devices with 4 metrics, an event a second for a whole day, with readings of two decimals and with all the digits of a
double. Statistics across devices are the same for a fleet of any size: their lines are bytes a day in all.
Needs the Postgres of DB_* on this machine. Prints one JSON line a table and kind of reading.
"""

import argparse
import os

import psycopg

from shared import lifecycle
from shared.errors import PlumblineError
from tests import servers
from tests.benchmarks import fleet
from tests.benchmarks.figures import report, say
from tests.benchmarks.fleet import ALL, Stretch
from tests.benchmarks.load import DAY_S, METRICS, START_S
from tests.benchmarks.service import aggregate

KINDS = {"two decimals": 2, "all digits": None}

# Rows, and bytes with TOAST and indexes. A level's rows across devices are told apart in one table by their share.
_EVENTS = """
SELECT (SELECT count(*) FROM events), sum(pg_total_relation_size(relid))::int8
FROM pg_partition_tree('events') WHERE isleaf
"""
_LEVELS = """
SELECT level, count(*), (
    SELECT sum(pg_total_relation_size(relid))::int8 FROM pg_partition_tree(('stats_' || level)::regclass) WHERE isleaf)
FROM stats GROUP BY level ORDER BY level
"""
_FLEET = """
SELECT level, count(*),
    (pg_total_relation_size('fleet_stats') * sum(pg_column_size(f.*))::float8
        / (SELECT sum(pg_column_size(g.*)) FROM fleet_stats g))::int8
FROM fleet_stats f GROUP BY level ORDER BY level
"""


def sizes(connection: psycopg.Connection) -> dict[str, tuple[int, int]]:
    """(rows, bytes) by table and level."""
    found = {"events": connection.execute(_EVENTS).fetchone() or (0, 0)}
    found |= {f"stats {level} s": (rows, size) for level, rows, size in connection.execute(_LEVELS)}
    found |= {f"fleet_stats {level} s": (rows, size) for level, rows, size in connection.execute(_FLEET)}
    return found


def measured(kind: str, devices: int) -> list[dict[str, object]]:
    """The lines of one kind of reading."""
    day = Stretch(START_S, DAY_S, 1, ALL[:devices], KINDS[kind])
    with servers.database(os.environ) as database, database.connect() as connection:
        fleet.register(connection, devices)
        fleet.fill(connection, [day])
        aggregate(database)
        found = sizes(connection)
    if found["stats 86400 s"][0] != devices * len(METRICS):
        raise PlumblineError(f"the benchmark's statistics are wrong: {found}")
    say(f"{kind}: {', '.join(f'{name} {size / devices:,.0f}' for name, (_, size) in found.items())}")
    return [line(kind, name, rows, size, devices, found["events"][1]) for name, (rows, size) in found.items()]


def line(kind: str, name: str, rows: int, size: int, devices: int, raw: int) -> dict[str, object]:
    """One table's figures, beside the events'."""
    shared_by_all = name.startswith("fleet")
    return {
        "benchmark": "storage",
        "table": name,
        "readings": kind,
        "metrics": len(METRICS),
        "rows": rows,
        "bytes_per_row": round(size / rows),
        "bytes_per_day" if shared_by_all else "bytes_per_device_day": round(size if shared_by_all else size / devices),
        "peer": {"name": "events, an event a second", "bytes_per_device_day": round(raw / devices)},
        "ratio": round(size / (1 if shared_by_all else devices) / (raw / devices), 5),
    }


def main() -> int:
    """Measures each kind and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.storage",
        description=__doc__,
        epilog="example: python -m tests.benchmarks storage --devices 2",
    )
    parser.add_argument("--devices", type=int, default=10, help="(default: 10)")
    options = parser.parse_args()
    return report([line for kind in KINDS for line in measured(kind, options.devices)])


if __name__ == "__main__":
    lifecycle.run(main)
