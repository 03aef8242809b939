"""`python -m tests.benchmarks.simulator`: how fast one simulator process fills a topic, beside librdkafka's own limit.

Needs a Kafka at KAFKA_BOOTSTRAP_SERVERS; works on a topic of its own, which it deletes. Prints one JSON line.
"""

import argparse
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]
from prometheus_client import CollectorRegistry

from deploy.local import process
from shared import kafka, lifecycle
from shared.errors import PlumblineError
from shared.settings import TopicSettings, load
from simulator.faults import FaultPlanner
from simulator.fleet import Fleet
from simulator.metrics import Metrics
from simulator.noise import keys
from simulator.pacing import CHUNK
from simulator.publisher import DRAIN_TIMEOUT_S, KafkaPublisher
from simulator.record import Record
from simulator.stream import Stream

FLEET = Fleet(devices=1000, interval_us=10_000_000)
_READY = 20 * CHUNK
"""Ready records are sent again and again: all of them at once would need the memory."""


@contextmanager
def own_topic(settings: TopicSettings) -> Iterator[TopicSettings]:
    """A topic for this run, with as many partitions as the pipeline's."""
    name = f"benchmark-{uuid.uuid4().hex[:12]}"
    kafka.wait_ready(settings, 10.0)
    admin = kafka.admin(settings)
    admin.create_topics([NewTopic(name, settings.topic_partitions, settings.topic_replication_factor)])[name].result()
    own = settings.model_copy(update={"topic_readings": name})
    try:
        # The broker confirms a topic before its own metadata shows it.
        if not process.until(lambda: admin.list_topics(name, timeout=10).topics[name].error is None, 30.0):
            raise PlumblineError(f"topic {name} was made and doesn't show within 30 s → see the broker's log")
        yield own
    finally:
        admin.delete_topics([name])[name].result()


def simulated(settings: TopicSettings, events: int) -> float:
    """Seconds to make, encode and deliver so many events, acknowledged by all replicas."""
    stream = Stream(FLEET, FaultPlanner(keys(7, 1), FLEET.devices, 0), seed=7)
    first = FLEET.first_at(1_795_000_000_000_000)
    publisher = KafkaPublisher(settings, threading.Event(), Metrics(CollectorRegistry()))
    began = time.perf_counter()
    for number in range(first, first + events, CHUNK):
        publisher.publish(stream.records(number, min(number + CHUNK, first + events)))
    publisher.close()
    return time.perf_counter() - began


def ready_bytes(settings: TopicSettings, events: int) -> float:
    """Seconds to deliver as many such events whose bytes are ready: the library's limit."""
    stream = Stream(FLEET, FaultPlanner(keys(7, 1), FLEET.devices, 0), seed=7)
    first = FLEET.first_at(1_795_000_000_000_000)
    chunks: list[list[Record]] = [stream.records(first + at, first + at + CHUNK) for at in range(0, _READY, CHUNK)]
    producer = kafka.producer(settings, linger_ms=50)
    producer.list_topics(settings.topic_readings, timeout=10)
    began = time.perf_counter()
    for at in range(0, events, CHUNK):
        records = chunks[at // CHUNK % len(chunks)][: events - at]
        while len(producer) > _READY:
            producer.poll(0.1)
        if producer.produce_batch(settings.topic_readings, records) != len(records):
            raise PlumblineError("librdkafka's queue was full: the limit would be wrong")
    if producer.flush(DRAIN_TIMEOUT_S):
        raise PlumblineError("Kafka did not acknowledge everything: the limit would be wrong")
    return time.perf_counter() - began


def main() -> int:
    """Measures both in turn, on one topic that is warm, and takes the better of two rounds of each."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks.simulator", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, metavar="N", help="how many (1000000)")
    events = parser.parse_args().events
    with own_topic(load(TopicSettings)) as settings:
        ready_bytes(settings, min(events, _READY))
        rounds = [(ready_bytes(settings, events), simulated(settings, events)) for _ in range(2)]
    limit, seconds = (min(times) for times in zip(*rounds, strict=True))
    line = {
        "benchmark": "simulator",
        "events": events,
        "seconds": round(seconds, 3),
        "events_per_second": round(events / seconds),
        "limit": {"name": "librdkafka produce of ready bytes", "events_per_second": round(events / limit)},
        "ratio": round(limit / seconds, 3),
    }
    print(json.dumps(line))
    return 0


if __name__ == "__main__":
    lifecycle.run(main)
