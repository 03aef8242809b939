"""What the ingestion tests share: produce, run the service as a process, and read what became of the events."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
from confluent_kafka import TopicPartition

from shared import kafka
from tests.servers import Database, Topics

DEADLINE_S = 60.0
_COUNTED = (
    "topic, topic_id, partition, first_offset, next_offset, acked_offset, events_total, persisted_total,"
    " duplicate_total, conflict_total, dead_letter_total, gap_total"
)
# Every chapter of each partition: the open one, and those that an operator's decision closed.
CHAPTERS = f"(SELECT {_COUNTED} FROM kafka_offsets UNION ALL SELECT {_COUNTED} FROM offset_decisions) AS chapters"  # noqa: S608


def event(device: str, second: int, /, **metrics: float) -> bytes:
    """An event at so many seconds after 2026-11-01T00:00Z."""
    at = 1_793_491_200 + second
    return json.dumps({"device_id": device, "timestamp": at, "data_payload": metrics}).encode()


def produce(topics: Topics, values: Sequence[bytes | None], keys: Sequence[bytes | None] | None = None) -> None:
    """Publishes to the readings topic, keyed if keys are given, and returns when Kafka has them."""
    producer = kafka.producer(topics.settings)
    for i, value in enumerate(values):
        producer.produce(topics.settings.topic_readings, value, keys[i] if keys else None)
        producer.poll(0)
    assert producer.flush(30) == 0


def high_watermarks(topics: Topics, topic: str = "") -> dict[int, int]:
    """Ends of a topic's partitions; of the readings topic if none is named."""
    name = topic or topics.settings.topic_readings
    consumer = kafka.consumer(topics.settings, group_id="test-watermarks")
    try:
        parts = consumer.list_topics(name, timeout=10).topics[name].partitions
        at = {p: TopicPartition(name, p) for p in parts}
        return {p: consumer.get_watermark_offsets(t, timeout=10)[1] for p, t in at.items()}
    finally:
        consumer.close()


def consume_all(topics: Topics, topic: str, at_least: int) -> list[tuple[bytes | None, bytes | None, dict[str, str]]]:
    """(key, value, headers) of every record of a topic, once there are so many."""
    consumer = kafka.consumer(topics.settings, group_id="test-reader", auto_offset_reset="earliest")
    found: list[tuple[bytes | None, bytes | None, dict[str, str]]] = []
    try:
        parts = consumer.list_topics(topic).topics[topic].partitions
        consumer.assign([TopicPartition(topic, p, 0) for p in parts])

        def enough() -> bool:
            for message in consumer.consume(10_000, 0.2):
                assert message.error() is None, message.error()
                headers = {name: _text(v) for name, v in dict(message.headers() or []).items()}
                found.append((message.key(), message.value(), headers))
            return len(found) >= at_least

        wait_for(enough, f"{at_least} records on {topic}")
    finally:
        consumer.close()
    return found


def consume_whole(topics: Topics, topic: str) -> list[tuple[bytes | None, bytes | None, dict[str, str]]]:
    """The same of all that is on a topic now: what comes in several fetches too."""
    return consume_all(topics, topic, sum(high_watermarks(topics, topic).values()))


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = DEADLINE_S) -> None:
    """Returns when the condition holds; fails the test when it doesn't in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.05)


class Service:
    """One process of a service, with its log."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        with tempfile.NamedTemporaryFile(prefix="service-", suffix=".log", delete=False) as log:  # a pipe fills up
            self._log = Path(log.name)
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                env={**os.environ, **environment, "LOG_FORMAT": "console"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._output: str | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.poll()

    @property
    def frozen(self) -> bool:
        """Whether a SIGSTOP holds it."""
        return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        self._process.send_signal(number)

    def wait(self, timeout_s: float = 30) -> int:
        """Its exit status, once it has one."""
        return self._process.wait(timeout_s)

    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text() if self._output is None else self._output

    def end(self) -> str:
        """Ends it, one way or the other, and returns what it printed."""
        if self.status is None:
            self._process.terminate()
            self.send(signal.SIGCONT)  # one that was stopped couldn't hear
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(20)
        self._output = self.output()
        self._log.unlink(missing_ok=True)
        return self._output


@contextmanager
def running(module: str, *environments: Mapping[str, str]) -> Iterator[Service]:
    """A service for the length of the block; its log is shown when the test fails."""
    merged = {name: value for environment in environments for name, value in environment.items()}
    service = Service(module, merged)
    try:
        yield service
    finally:
        sys.stdout.write(service.end()[-20_000:])


def ingestion(topics: Topics, database: Database, **settings: object) -> dict[str, str]:
    """The environment of an ingestion service."""
    own = {"CONSUMER_GROUP": f"{topics.settings.topic_readings}-group", "KAFKA_SESSION_TIMEOUT_MS": "2000"}
    return {
        **topics.environment(),
        **database.environment("ingestion"),
        **own,
        **{name: str(value) for name, value in settings.items()},
    }


def ingest(topics: Topics, database: Database, **settings: object) -> str:
    """Runs the ingestion service until it caught up, stops it with SIGTERM, and returns its log."""
    with running("ingestion_service", ingestion(topics, database, **settings)) as service:
        wait_for(lambda: service.status is not None or caught_up(topics, database), "caught up")
        service.send(signal.SIGTERM)
        assert service.wait(15) == 0, service.output()
    return service.output()


def caught_up(topics: Topics, database: Database) -> bool:
    """Whether the database stands at the end of every partition."""
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT partition, next_offset FROM kafka_offsets WHERE topic = %s", [topics.settings.topic_readings]
        ).fetchall()
    stands: dict[int, int] = dict(rows)
    return stands == high_watermarks(topics)


def told(database: Database) -> bool:
    """Whether the acks and dead letters of all that is committed have left."""
    with database.connect() as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM dead_letters WHERE published_at IS NULL OR acked_at IS NULL)"
            " + (SELECT count(*) FROM kafka_offsets WHERE acked_offset < next_offset)"
            " + (SELECT count(*) FROM offset_decisions WHERE acked_offset < next_offset)"
        ).fetchone()
    return row == (0,)


def assert_accounts(database: Database) -> dict[str, int]:
    """The accounting identity per chapter of each partition and against the rows; returns the totals."""
    with database.connect() as connection:
        wrong = connection.execute(
            f"SELECT topic, partition FROM {CHAPTERS} WHERE next_offset - first_offset"  # noqa: S608
            " <> persisted_total + duplicate_total + dead_letter_total + gap_total"
            " OR events_total <> persisted_total + duplicate_total + dead_letter_total".encode()
        ).fetchall()
        assert wrong == []
        row = connection.execute(
            "SELECT sum(persisted_total), sum(duplicate_total), sum(conflict_total), sum(dead_letter_total),"  # noqa: S608
            f" (SELECT count(*) FROM events), (SELECT count(*) FROM dead_letters) FROM {CHAPTERS}".encode()
        ).fetchone()
    assert row is not None
    persisted, duplicates, conflicts, dead, events, letters = map(int, row)
    assert persisted == events
    assert dead == letters
    return {"persisted": persisted, "duplicates": duplicates, "conflicts": conflicts, "dead_letters": dead}
