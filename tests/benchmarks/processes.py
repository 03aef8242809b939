"""The rate of one, two and three ingestion processes that share six partitions in one group, in the same run.

The processes join while the topic is empty and are held (SIGSTOP) until it is filled: what is measured is the rate, not
the rebalance. Needs the Kafka and the Postgres of KAFKA_BOOTSTRAP_SERVERS and DB_* on this machine. Prints one JSON
line a number of processes.
"""

import argparse
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from shared import lifecycle
from tests import servers
from tests.benchmarks.consuming import Outcome, Run, services, settle, stored
from tests.benchmarks.figures import report, say, spread
from tests.benchmarks.load import Load, produce
from tests.benchmarks.usage import per_million

PARTITIONS = 6


@contextmanager
def held(pids: list[int]) -> Iterator[None]:
    """The processes stand still for the length of the block."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def measured(load: Load, count: int) -> Run:
    """From when the processes are let go to the last commit."""
    with (
        servers.fresh_topics(os.environ, PARTITIONS) as topics,
        servers.database(os.environ) as database,
        # Held for longer than a session lasts, they would have to join again.
        services(topics, database, count, KAFKA_SESSION_TIMEOUT_MS=60_000) as running,
    ):
        running.wait(lambda: running.owners() == count, f"partitions for each of {count} processes")
        with held(running.pids):
            produce(topics, load.chunks())
            settle(database)
            meter = running.meter()
            began = time.perf_counter()
        running.consumed(Outcome(load.events))
        run = Run(Outcome(load.events), time.perf_counter() - began, meter.cpu_seconds())
        assert stored(database) == load.events
    say(f"{count}: {run.rate:,.0f} events/s")
    return run


def line(count: int, runs: list[Run], one: list[Run]) -> dict[str, object]:
    """The figures of so many processes beside those of one."""
    rate, alone = (median(run.rate for run in each) for each in (runs, one))
    return {
        "benchmark": "processes",
        "processes": count,
        "partitions": PARTITIONS,
        "events": runs[0].outcome.records,
        "cores": os.cpu_count(),
        "events_per_second": round(rate),
        "spread": spread([run.rate for run in runs]),
        "cpu_seconds_per_million": per_million(runs[-1].cpu_seconds, runs[-1].outcome.records),
        "limit": {"name": "one process", "events_per_second": round(alone)},
        "ratio": round(rate / alone, 3),
    }


def main() -> int:
    """Measures them in turn and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.processes",
        description=__doc__,
        epilog="example: source .local/stack.env && python -m tests.benchmarks.processes --processes 1 2",
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument(
        "--processes", type=int, nargs="+", default=(1, 2, 3), metavar="N", help="the first is the peer"
    )
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    runs: dict[int, list[Run]] = {}
    for _ in range(options.rounds):
        for count in options.processes:
            runs.setdefault(count, []).append(measured(Load(options.events), count))
    one = runs[options.processes[0]]
    return report([line(count, each, one) for count, each in runs.items()])


if __name__ == "__main__":
    lifecycle.run(main)
