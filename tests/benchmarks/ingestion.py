"""Kafka → committed in Postgres by one process, beside a bare COPY of the same rows before and after each round.

Needs the Kafka and the Postgres of KAFKA_BOOTSTRAP_SERVERS and DB_* (their owner) on this machine; works on topics and
databases of its own, which it deletes. Prints one JSON line.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from statistics import median

import numpy as np

from ingestion_service.columns import Rows, copy_blocks
from shared import lifecycle, pgcopy
from tests import servers
from tests.benchmarks.consuming import Outcome, Run, consume, settle, stored
from tests.benchmarks.figures import beside, report, say, spread
from tests.benchmarks.load import Load, metric_names, produce
from tests.benchmarks.usage import Meter, per_million

LIMIT = 0.6
BATCH = 20_000


def copies(load: Load) -> list[bytes]:
    """The load's rows (it has one layout) as binary COPY data, sorted batch by batch."""
    return [b"".join(chain([pgcopy.HEADER], copy_blocks(rows), [pgcopy.TRAILER])) for rows in _batches(load)]


def _batches(load: Load) -> Iterator[Rows]:
    for start in range(0, load.events, BATCH):
        number = np.arange(start, min(start + BATCH, load.events))
        turn, device = np.divmod(number, load.devices)
        order = np.lexsort((turn, device))
        values = load.readings(number[order])
        ts_us = load.turns_s[turn][order] * 1_000_000
        yield Rows(1, (device[order] + 1).astype(np.int32), ts_us, values, order, None)


@dataclass(frozen=True)
class Copied:
    """Events a second of the bare COPY, and the CPU seconds that it cost Postgres."""

    rate: float
    cpu_seconds: float


def bare_copy(load: Load, data: list[bytes]) -> Copied:
    """COPY alone, a transaction a batch, into a new database; encoding isn't counted."""
    with servers.database(os.environ) as database, database.connect() as connection:
        days = np.unique(load.turns_s // 86_400).astype("datetime64[D]").tolist()
        connection.execute("SELECT ensure_event_partitions(%s::date[])", [days])
        settle(database)
        began, meter = time.perf_counter(), Meter([], connection)
        for block in data:
            with connection.cursor().copy(
                "COPY events (device, ts, layout, values, extras) FROM STDIN (FORMAT binary)"
            ) as copy:
                copy.write(block)
        return Copied(load.events / (time.perf_counter() - began), meter.cpu_seconds()["postgres"])


def measured(load: Load, partitions: int, rounds: int) -> tuple[list[Copied], list[Run], int]:
    """The bare COPY (one more than rounds), the service's runs, and the bytes an event."""
    data = copies(load)
    with servers.fresh_topics(os.environ, partitions) as topics:
        size = produce(topics, load.chunks())
        limits, runs = [bare_copy(load, data)], []
        for _ in range(rounds):
            with servers.database(os.environ) as database:
                runs.append(consume(topics, database, Outcome(load.events)))
                assert stored(database) == load.events
            limits.append(bare_copy(load, data))
            say(f"{runs[-1].rate:,.0f} events/s, bare COPY {limits[-2].rate:,.0f} and {limits[-1].rate:,.0f}")
    return limits, runs, size


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.ingestion",
        description=__doc__,
        epilog="example: source .local/stack.env && python -m tests.benchmarks.ingestion --events 1000000",
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--devices", type=int, default=1_000)
    parser.add_argument("--metrics", type=int, default=4, help="metrics an event")
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3, help="each in a new database and a new consumer group")
    options = parser.parse_args()
    load = Load(options.events, options.devices, (metric_names(options.metrics),))
    copied, runs, size = measured(load, options.partitions, options.rounds)
    limits = [copy.rate for copy in copied]
    rates = [run.rate for run in runs]
    middle = sorted(runs, key=lambda run: run.rate)[len(runs) // 2]
    ratios = beside(limits, rates)
    line: dict[str, object] = {
        "benchmark": "ingestion",
        "events": load.events,
        "devices": load.devices,
        "metrics": options.metrics,
        "bytes_per_event": size,
        "rounds": options.rounds,
        "events_per_second": round(median(rates)),
        "spread": spread(rates),
        "cpu_seconds_per_million": per_million(middle.cpu_seconds, load.events),
        "limit": {
            "name": "bare binary COPY of the same rows into the same table",
            "events_per_second": round(median(limits)),
            "spread": spread(limits),
            "cpu_seconds_per_million": per_million(
                {"postgres": median(copy.cpu_seconds for copy in copied)}, load.events
            ),
            "ratio": LIMIT,
        },
        "ratio": round(median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "ok": median(ratios) >= LIMIT,
    }
    return report([line])


if __name__ == "__main__":
    lifecycle.run(main)
