"""The rate of ingestion into a small and into a large table, new events in a new day and in the day that has most rows.

Rows are the same fleet's, an event a second and device: a twentieth of them in each of eight earlier days, the rest in
the last one. Both tables take the same topics in turn. Needs the Kafka and the Postgres of KAFKA_BOOTSTRAP_SERVERS and
DB_* on this machine, and about 0.2 GB of disk a million rows. Prints one JSON line a shape of growth.
"""

import argparse
import os
import time
from collections.abc import Iterator
from functools import partial
from statistics import median

import numpy as np
import numpy.typing as npt

from shared import lifecycle, pgcopy
from tests import servers
from tests.benchmarks.consuming import Outcome, Run, consume
from tests.benchmarks.figures import report, say, spread
from tests.benchmarks.load import DAY_S, METRICS, START_S, Load, device_names, produce
from tests.benchmarks.usage import per_million
from tests.servers import Database, Topics

LIMIT = 0.85
DEVICES = 1_000
_EARLIER_DAYS = 8
_EARLIER_SHARE = 20  # a twentieth each
_BATCH_S = 20  # rows of so many seconds are sorted together, as a batch of ingestion is


def days(rows: int) -> list[tuple[int, int]]:
    """(first second, seconds) of each day that is filled: DEVICES rows a second."""
    seconds = rows // DEVICES
    earlier = seconds // _EARLIER_SHARE
    spans = [(START_S + day * DAY_S, earlier) for day in range(_EARLIER_DAYS)]
    return [*spans, (START_S + _EARLIER_DAYS * DAY_S, seconds - earlier * _EARLIER_DAYS)]


def fill(database: Database, rows: int) -> None:
    """Writes so many rows as ingestion would have, and leaves the table as autovacuum does."""
    device = np.arange(1, DEVICES + 1, dtype=np.int32)
    with database.connect() as connection:
        names = device_names(DEVICES)
        connection.execute("SELECT count(*) FROM register_devices(%s, %s)", [names, DEVICES])
        connection.execute("SELECT register_layout(%s, 1)", [list(METRICS)])
        dates = [str(np.datetime64(first, "s").astype("datetime64[D]")) for first, _ in days(rows)]
        connection.execute("SELECT ensure_event_partitions(%s::date[])", [dates])
        for first, seconds in days(rows):
            with connection.cursor() as cursor, cursor.copy("COPY events FROM STDIN (FORMAT binary)") as copy:
                copy.write(pgcopy.HEADER)
                for block in _blocks(device, first, seconds):
                    copy.write(block)
                copy.write(pgcopy.TRAILER)
        connection.execute("VACUUM ANALYZE events")


def _blocks(device: npt.NDArray[np.int32], first: int, seconds: int) -> Iterator[bytes]:
    generator = np.random.default_rng(first)
    for start in range(first, first + seconds, _BATCH_S):
        stop = min(start + _BATCH_S, first + seconds)
        ts = np.tile(np.arange(start, stop).astype("datetime64[s]").astype("datetime64[us]"), len(device))
        values = generator.normal(50, 20, (len(ts), len(METRICS)))
        yield pgcopy.encode([np.repeat(device, stop - start), ts, np.ones(len(ts), np.int32), values, None])


def loads(events: int, rows: int, round_: int) -> dict[str, Load]:
    """New events of a round: both shapes lie behind all that the large table has."""
    last_day, seconds = days(rows)[-1]
    return {
        "a new day": Load(events, DEVICES, start_s=last_day + (1 + round_) * DAY_S),
        "the day with most rows": Load(events, DEVICES, start_s=last_day + seconds + round_ * (events // DEVICES)),
    }


def into_small(topics: Topics, rows: int, expected: Outcome) -> Run:
    """A run into a new table with so many rows."""
    with servers.database(os.environ) as database:
        fill(database, rows)
        return consume(topics, database, expected)


def sizes(database: Database) -> dict[str, float]:
    """Bytes of all partitions in GB."""
    with database.connect() as connection:
        table, indexes = connection.execute(
            "SELECT sum(pg_table_size(relid))::int8, sum(pg_indexes_size(relid))::int8"
            " FROM pg_partition_tree('events') WHERE isleaf"
        ).fetchone() or (0, 0)
    return {"table_gb": round(table / 1e9, 2), "indexes_gb": round(indexes / 1e9, 2)}


def line(shape: str, small: list[Run], large: list[Run], rows: tuple[int, int]) -> dict[str, object]:
    """One shape's figures; the ratio is the median of the rounds'."""
    ratios = [ours.rate / limit.rate for ours, limit in zip(large, small, strict=True)]
    return {
        "benchmark": "growth",
        "new_events_in": shape,
        "rows_before": rows[1],
        "events": large[0].outcome.records,
        "events_per_second": round(median(run.rate for run in large)),
        "spread": spread([run.rate for run in large]),
        "cpu_seconds_per_million": _cpu(large),
        "written": large[-1].written,
        "limit": {
            "name": f"the same events into a table of {rows[0]:,} rows",
            "events_per_second": round(median(run.rate for run in small)),
            "spread": spread([run.rate for run in small]),
            "cpu_seconds_per_million": _cpu(small),
            "written": small[-1].written,
            "ratio": LIMIT,
        },
        "ratio": round(median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "ok": median(ratios) >= LIMIT,
    }


def _cpu(runs: list[Run]) -> dict[str, float]:
    return per_million(runs[-1].cpu_seconds, runs[-1].outcome.records)


def main() -> int:
    """Fills, measures in turn, and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.growth",
        description=__doc__,
        epilog="example: source .local/stack.env && python -m tests.benchmarks.growth --rows 50000000",
    )
    parser.add_argument("--rows", type=int, default=50_000_000, help="in the large table (default: 50000000)")
    parser.add_argument("--small", type=int, default=1_000_000, help="rows in the small table (default: 1000000)")
    parser.add_argument("--events", type=int, default=1_000_000, help="new ones a run (default: 1000000)")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    runs: dict[str, tuple[list[Run], list[Run]]] = {}
    with servers.database(os.environ) as database:
        began = time.monotonic()
        fill(database, options.rows)
        size = sizes(database)
        say(f"{options.rows:,} rows in {time.monotonic() - began:.0f} s: {size}")
        for number in range(options.rounds):
            for shape, load in loads(options.events, options.rows, number).items():
                small, large = runs.setdefault(shape, ([], []))
                with servers.fresh_topics(os.environ, 6) as topics:
                    produce(topics, load.chunks())
                    into = [partial(into_small, topics, options.small), partial(consume, topics, database)]
                    turn = 1 if number % 2 == 0 else -1  # in turn the first, which finds the broker's caches cooler
                    for run, kept in list(zip(into, (small, large), strict=True))[::turn]:
                        kept.append(run(Outcome(load.events)))
                say(f"{shape}: {small[-1].rate:,.0f} events/s into the small, {large[-1].rate:,.0f} into the large")
    rows = (options.small, options.rows)
    return report([line(shape, small, large, rows) | {"size": size} for shape, (small, large) in runs.items()])


if __name__ == "__main__":
    lifecycle.run(main)
