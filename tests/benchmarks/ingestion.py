"""`python -m tests.benchmarks.ingestion`: Kafka → committed in Postgres, beside a bare COPY of the same rows.

Needs the Kafka and the Postgres of KAFKA_BOOTSTRAP_SERVERS and DB_* (their owner); works on topics and databases of
its own, which it deletes. Prints one JSON line.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

import numpy as np
import psycopg

from ingestion_service.columns import Rows, copy_blocks
from shared import kafka, lifecycle, pgcopy
from shared.errors import PlumblineError
from shared.settings import DatabaseSettings, load
from tests import servers
from tests.servers import Database, Topics

BATCH = 20_000
METRICS = ("humidity", "pressure", "temperature", "voltage")
_START_S = 1_793_491_200  # 2026-11-01T00:00Z
_POLL_S = 0.02


def events(count: int, devices: int, width: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Device ids, times (s) and values (count, width): a fleet that sends in turn."""
    number = np.arange(count)
    values = np.round(np.random.default_rng(7).normal(50, 20, (count, width)), 3)
    return [f"device-{i:06d}" for i in range(devices)], _START_S + number // devices, values


def bodies(names: list[str], times: np.ndarray, values: np.ndarray) -> Iterator[tuple[bytes, bytes]]:
    """Key and JSON of each event."""
    metrics = [METRICS[i] if i < len(METRICS) else f"metric_{i:02d}" for i in range(values.shape[1])]
    template = '{"device_id":"%s","timestamp":"%sZ","data_payload":{' + ",".join(f'"{m}":%r' for m in metrics) + "}}"
    stamps = np.datetime_as_string(times.astype("datetime64[s]"))
    for i, row in enumerate(values.tolist()):
        name = names[i % len(names)]
        yield name.encode(), (template % (name, stamps[i], *row)).encode()


def produce(topics: Topics, records: Iterator[tuple[bytes, bytes]]) -> int:
    """Fills the topic and returns the mean size of a value."""
    producer = kafka.producer(topics.settings)
    total = count = 0
    for key, value in records:
        total, count = total + len(value), count + 1
        while True:
            try:
                producer.produce(topics.settings.topic_readings, value, key)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush(120)
    return total // count


def bare_copy(database: Database, count: int, devices: int, width: int) -> float:
    """Seconds to COPY the same rows, sorted batch by batch, a transaction each; encoding isn't counted."""
    _, times, values = events(count, devices, width)
    blocks = []
    for start in range(0, count, BATCH):
        rows = slice(start, min(start + BATCH, count))
        device = (np.arange(count)[rows] % devices + 1).astype(np.int32)
        order = np.lexsort((times[rows], device))
        data = Rows(1, device[order], times[rows][order] * 1_000_000, values[rows][order], order, None)
        blocks.append(b"".join(chain([pgcopy.HEADER], copy_blocks(data), [pgcopy.TRAILER])))
    with database.connect() as connection:
        days = np.unique(times // 86_400).astype("datetime64[D]").tolist()
        connection.execute("SELECT ensure_event_partitions(%s::date[])", [days])
        began = time.perf_counter()
        for block in blocks:
            with connection.cursor().copy(
                "COPY events (device, ts, layout, values, extras) FROM STDIN (FORMAT binary)"
            ) as copy:
                copy.write(block)
        return time.perf_counter() - began


def ingested(topics: Topics, database: Database, count: int) -> tuple[float, float]:
    """Seconds from the service's first claim to its last commit, and the CPU seconds of its process."""
    environment = {**os.environ, **topics.environment(), **database.environment("ingestion")}
    environment |= {"CONSUMER_GROUP": topics.settings.topic_readings, "LOG_LEVEL": "warning"}
    service = subprocess.Popen([sys.executable, "-m", "ingestion_service"], env=environment)
    try:
        with database.connect() as connection:
            _until(service, lambda: _claimed(connection) == topics.settings.topic_partitions)
            began = time.perf_counter()
            _until(service, lambda: _events(connection) == count)
            seconds = time.perf_counter() - began
        return seconds, _cpu_seconds(service.pid)
    finally:
        service.terminate()
        service.wait(30)


def _claimed(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM kafka_offsets").fetchone()
    return int(row[0]) if row else 0


def _events(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT coalesce(sum(persisted_total), 0) FROM kafka_offsets").fetchone()
    return int(row[0]) if row else 0


def _until(service: "subprocess.Popen[bytes]", condition: Callable[[], bool], timeout_s: float = 300) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if service.poll() is not None or time.monotonic() > deadline:
            raise PlumblineError("the ingestion service ended or stood still: see its log above")
        time.sleep(_POLL_S)


def _cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def own(stack: Mapping[str, str], partitions: int) -> Iterator[tuple[Topics, Database, Database]]:
    """Topics, and a database for each side."""
    with (
        servers.fresh_topics(stack, partitions) as topics,
        servers.database(stack) as ours,
        servers.database(stack) as bare,
    ):
        yield topics, ours, bare


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
    options = parser.parse_args()
    load(DatabaseSettings)
    with own(os.environ, options.partitions) as (topics, ours, bare):
        size = produce(topics, bodies(*events(options.events, options.devices, options.metrics)))
        limit = options.events / bare_copy(bare, options.events, options.devices, options.metrics)
        seconds, cpu = ingested(topics, ours, options.events)
    rate = options.events / seconds
    line = {
        "benchmark": "ingestion",
        "events": options.events,
        "devices": options.devices,
        "metrics": options.metrics,
        "bytes_per_event": size,
        "seconds": round(seconds, 2),
        "events_per_second": round(rate),
        "cpu_seconds_of_service": round(cpu, 2),
        "limit": {"name": "bare binary COPY of the same rows into the same table", "events_per_second": round(limit)},
        "ratio": round(rate / limit, 3),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    return 0


if __name__ == "__main__":
    lifecycle.run(main)
