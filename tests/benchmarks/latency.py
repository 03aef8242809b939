"""From produced to visible in SQL at a steady rate, and what the linger of a batch costs: latency against CPU.

A paced producer sends 1,000 devices' events evenly; an event's clock starts just before `produce`, and stops when
another connection sees its partition's `next_offset` beyond it. The first two seconds don't count.
Needs the Kafka and the Postgres of KAFKA_BOOTSTRAP_SERVERS and DB_* on this machine. Prints one JSON line a value of
BATCH_LINGER_MS.
"""

import argparse
import itertools
import os
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Self

import numpy as np
from confluent_kafka import KafkaError, Message

from ingestion_service.settings import IngestionSettings
from shared import kafka, lifecycle
from shared.errors import PlumblineError
from tests import servers
from tests.benchmarks.consuming import Outcome, services
from tests.benchmarks.figures import percentile, report, say
from tests.benchmarks.load import F64, I64, Load
from tests.servers import Database, Topics

DEFAULT_MS: int = IngestionSettings.model_fields["batch_linger_ms"].default
LOW_LATENCY_MS = 20
CURVE_MS = sorted({5, 20, 50, 100, 250, 500, 1_000, DEFAULT_MS, LOW_LATENCY_MS})
LIMITS_MS = {DEFAULT_MS: ("p99 with the default settings", 1_000.0)}
LIMITS_MS |= {LOW_LATENCY_MS: ("p99 with the setting for low latency", 250.0)}
_WARM_UP_S = 2  # of a process that has seen no event yet, and of a broker that compiles
_CHUNK_S = 0.005
_LOOK_S = 0.003
_PRODUCER_LINGER_MS = 5


class Watch:
    """A thread that notes when which offsets are visible to another connection."""

    def __init__(self, database: Database, topic: str) -> None:
        self._database = database
        self._topic = topic
        self._seen: dict[int, list[tuple[int, float]]] = defaultdict(list)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def steps(self) -> dict[int, tuple[I64, F64]]:
        """Of each partition: the values that next_offset had, and when each was first seen."""
        return {number: _columns(steps) for number, steps in self._seen.items()}

    def _run(self) -> None:
        with self._database.connect() as connection:
            while not self._end.wait(_LOOK_S):
                rows = connection.execute(
                    "SELECT partition, next_offset FROM kafka_offsets WHERE topic = %s", [self._topic]
                ).fetchall()
                now = time.perf_counter()
                for number, next_offset in rows:
                    steps = self._seen[number]
                    if not steps or steps[-1][0] != next_offset:
                        steps.append((next_offset, now))


def _columns(steps: Sequence[tuple[int, float]]) -> tuple[I64, F64]:
    offsets, moments = zip(*steps, strict=True)
    return np.array(offsets, np.int64), np.array(moments)


def due(events: int, rate: float, elapsed_s: float) -> int:
    """How many of the events should have been sent by now."""
    return min(events, int(rate * elapsed_s) + 1)


def send(topics: Topics, load: Load, rate: float) -> dict[int, dict[int, float]]:
    """Sends the load evenly; returns when each was produced, by partition and offset."""
    producer = kafka.producer(topics.settings, linger_ms=_PRODUCER_LINGER_MS)
    records = list(itertools.chain.from_iterable(load.chunks()))
    produced: dict[int, dict[int, float]] = defaultdict(dict)
    failures: list[KafkaError] = []

    def delivered(at: float, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failures.append(error)
        else:
            produced[message.partition() or 0][message.offset() or 0] = at

    began, sent = time.perf_counter(), 0
    while sent < len(records):
        upto = due(len(records), rate, time.perf_counter() - began)
        for record in records[sent:upto]:
            note = partial(delivered, time.perf_counter())
            producer.produce(topics.settings.topic_readings, record["value"], record["key"], on_delivery=note)
        sent = upto
        producer.poll(_CHUNK_S)
    if producer.flush(30) or failures:
        raise PlumblineError(f"not everything was delivered: {failures[:1]} → see the broker's log")
    return produced


def latencies_ms(
    produced: Mapping[int, Mapping[int, float]], visible: Mapping[int, tuple[I64, F64]], since: float
) -> list[float]:
    """Of each event that was produced since then, in ascending order: from produced to visible, in ms."""
    waits = []
    for number, moments in produced.items():
        offsets, seen = visible[number]
        at = np.fromiter(moments.keys(), np.int64, len(moments))
        first = np.searchsorted(offsets, at, side="right")  # next_offset is the first that isn't committed yet
        sent = np.fromiter(moments.values(), np.float64, len(moments))
        waits.append((seen[first] - sent)[sent >= since])
    return list(map(float, np.sort(np.concatenate(waits) * 1_000)))


def measured(linger_ms: int, rate: int, seconds: int) -> dict[str, object]:
    """One point of the curve."""
    load = Load(rate * (_WARM_UP_S + seconds))
    with (
        servers.fresh_topics(os.environ, 6) as topics,
        servers.database(os.environ) as database,
        services(topics, database, BATCH_LINGER_MS=linger_ms) as running,
        Watch(database, topics.settings.topic_readings) as watch,
    ):
        running.wait(lambda: running.owners() > 0, "the first claim")
        meter, began = running.meter(), time.perf_counter()
        produced = send(topics, load, rate)
        running.consumed(Outcome(load.events))
        elapsed, cpu = time.perf_counter() - began, meter.cpu_seconds()
        running.wait(lambda: _all_seen(watch, load.events), "the last look")
    first = min(min(moments.values()) for moments in produced.values())
    waits = latencies_ms(produced, watch.steps(), first + _WARM_UP_S)
    line: dict[str, object] = {
        "benchmark": "latency",
        "batch_linger_ms": linger_ms,
        "default": linger_ms == DEFAULT_MS,
        "events": len(waits),
        "events_per_second": rate,
        "p50_ms": round(percentile(waits, 50), 1),
        "p99_ms": round(percentile(waits, 99), 1),
        "max_ms": round(waits[-1], 1),
        "cpu_share_percent": {name: round(100 * used / elapsed, 1) for name, used in cpu.items()},
    }
    if linger_ms in LIMITS_MS:
        name, limit = LIMITS_MS[linger_ms]
        p99 = percentile(waits, 99)
        line |= {"limit": {"name": name, "ms": limit}, "ratio": round(p99 / limit, 3), "ok": p99 <= limit}
    say(f"BATCH_LINGER_MS={linger_ms}: p50 {line['p50_ms']} ms, p99 {line['p99_ms']} ms, max {line['max_ms']} ms")
    return line


def _all_seen(watch: Watch, events: int) -> bool:
    return sum(int(offsets[-1]) for offsets, _ in watch.steps().values()) == events


def main() -> int:
    """Measures each point and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.latency",
        description=__doc__,
        epilog="example: source .local/stack.env && python -m tests.benchmarks.latency --linger 20 --seconds 20",
    )
    parser.add_argument("--rate", type=int, default=5_000, help="events a second (default: 5000)")
    parser.add_argument("--seconds", type=int, default=20, help="of each point (default: 20)")
    parser.add_argument("--linger", type=int, nargs="+", default=CURVE_MS, metavar="MS", help="values to measure")
    options = parser.parse_args()
    return report([measured(linger, options.rate, options.seconds) for linger in options.linger])


if __name__ == "__main__":
    lifecycle.run(main)
