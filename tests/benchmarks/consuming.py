"""The ingestion service under measurement: real processes with their ordinary settings."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from shared.errors import PlumblineError
from tests.benchmarks.service import Process, running
from tests.benchmarks.usage import Meter, written
from tests.servers import Database, Topics

_POLL_S = 0.02


@dataclass(frozen=True)
class Outcome:
    """What `kafka_offsets` says of a topic."""

    persisted: int = 0
    duplicates: int = 0
    dead_letters: int = 0

    @property
    def records(self) -> int:
        """All that was consumed."""
        return self.persisted + self.duplicates + self.dead_letters


@dataclass(frozen=True)
class Run:
    """From the first claim to the last commit."""

    outcome: Outcome
    seconds: float
    cpu_seconds: dict[str, float]
    written: dict[str, int] = field(default_factory=dict)  # by the server, see usage.written

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.outcome.records / self.seconds


class Services:
    """Ingestion processes of one group, and a connection to look at what they committed."""

    def __init__(self, processes: list[Process], topics: Topics, look: psycopg.Connection) -> None:
        self._processes = processes
        self._topics = topics
        self.look = look

    @property
    def pids(self) -> list[int]:
        """Their process ids."""
        return [process.pid for process in self._processes]

    def meter(self) -> Meter:
        """Counts CPU seconds from now on."""
        return Meter(self.pids, self.look, self._topics.settings.kafka_bootstrap_servers)

    def owners(self) -> int:
        """How many of them own partitions; 0 until each partition is claimed."""
        row = self.look.execute(
            "SELECT count(*), count(DISTINCT owner) FROM kafka_offsets WHERE topic = %s",
            [self._topics.settings.topic_readings],
        ).fetchone()
        claimed, owners = row or (0, 0)
        return int(owners) if claimed == self._topics.settings.topic_partitions else 0

    def outcome(self) -> Outcome:
        """What is committed now."""
        row = self.look.execute(
            "SELECT coalesce(sum(persisted_total), 0)::int8, coalesce(sum(duplicate_total), 0)::int8,"
            " coalesce(sum(dead_letter_total), 0)::int8 FROM kafka_offsets WHERE topic = %s",
            [self._topics.settings.topic_readings],
        ).fetchone()
        return Outcome(*row) if row else Outcome()

    def wait(self, condition: Callable[[], bool], what: str, timeout_s: float = 300.0) -> None:
        """Returns when the condition holds; raises PlumblineError when it doesn't in time, or a process ends."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if any(process.poll() is not None for process in self._processes):
                raise PlumblineError("an ingestion process ended → see its log above")
            if time.monotonic() > deadline:
                raise PlumblineError(f"{what}: not within {timeout_s:.0f} s, at {self.outcome()} → see the log above")
            time.sleep(_POLL_S)

    def consumed(self, expected: Outcome) -> None:
        """Waits for so many records, and checks what became of them.

        Raises:
            PlumblineError: something else than what was expected.
        """
        self.wait(lambda: self.outcome().records >= expected.records, f"{expected.records} records")
        if (outcome := self.outcome()) != expected:
            raise PlumblineError(f"the benchmark's outcome is wrong: {outcome}, not {expected}")


@contextmanager
def services(topics: Topics, database: Database, count: int = 1, **settings: object) -> Iterator[Services]:
    """So many ingestion processes for the length of the block; `settings` are added to their environment."""
    environment = {**topics.environment(), **database.environment("ingestion")}
    environment |= {"CONSUMER_GROUP": f"{topics.settings.topic_readings}-{database.name}"}
    with running("ingestion_service", {**environment, **settings}, count) as processes, database.connect() as look:
        yield Services(processes, topics, look)


def consume(topics: Topics, database: Database, expected: Outcome, **settings: object) -> Run:
    """One process reads the topic to its end into a database where the topic is new; checks what became of it."""
    settle(database)
    with database.connect() as look:
        before = written(look)
        with services(topics, database, count=1, **settings) as running:
            running.wait(lambda: running.owners() > 0, "the first claim")
            began, meter = time.perf_counter(), running.meter()
            running.consumed(expected)
            seconds, cpu = time.perf_counter() - began, meter.cpu_seconds()
        return Run(expected, seconds, cpu, {name: count - before[name] for name, count in written(look).items()})


def stored(database: Database) -> int:
    """Rows of `events`."""
    with database.connect() as connection:
        row = connection.execute("SELECT count(*) FROM events").fetchone()
    return int(row[0]) if row else 0


def settle(database: Database) -> None:
    """Nobody pays for what was written before: every measured part begins with this, the limits' too."""
    with database.connect() as connection:
        connection.execute("CHECKPOINT")
