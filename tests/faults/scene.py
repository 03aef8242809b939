"""One fault under load, from the first event to the verdict.

with scene.load(), scene.service() as service:
    scene.flows()
    scene.strike()                  # about to inject: counts, and notes what is in flight
    service.send(signal.SIGKILL)
    scene.healed()                  # the fault is over: recovery is measured from here
    with scene.service():
        scene.verdict("kill -9").survived()
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from confluent_kafka import KafkaException

from tests.aggregated import rows
from tests.faults import readiness
from tests.faults.load import Load, Shape
from tests.faults.posts import Posts
from tests.faults.verdict import Verdict, compare
from tests.pipeline import CHAPTERS, Service, high_watermarks, ingestion, running, wait_for
from tests.servers import Database, Topics

SETTLE_S = 60.0
NOTICED_S = 15.0  # what a control waits for: a partition that stands still is looked at again every few seconds


class Scene:
    """Topics, a database, a load and the processes of one test. `without` names the protection that is off."""

    def __init__(self, topics: Topics, database: Database, report: Callable[[Verdict], None]) -> None:
        self.topics = topics
        self.database = database
        self.without = ""
        self._report = report
        self._loads: list[Load | Posts] = []
        self._injected = 0
        self._in_flight = 0
        self._recovery_s = 0.0
        self._committed = 0
        self._problems: list[str] = []
        self._healed_at = 0.0
        self._until: dict[int, int] = {}  # high watermarks when the fault ended

    @contextmanager
    def load(self, **shape: int) -> Iterator[Load]:
        """A load of this Shape while the block runs, or until it is stopped."""
        load = Load(self.topics, Shape(**shape))
        with self.under(load):
            yield load

    @contextmanager
    def under(self, load: Load | Posts) -> Iterator[None]:
        """The same for a load that is made already."""
        self._loads.append(load)
        load.start()
        try:
            yield
        finally:
            load.stop()

    def service(self, **settings: object) -> AbstractContextManager[Service]:
        """An ingestion process for a block, with its protection off if the scene says so."""
        return running(self._module, self._environment(**settings))

    def start(self, **settings: object) -> Service:
        """The same, for the caller to end."""
        return Service(self._module, self._environment(**settings))

    @property
    def _module(self) -> str:
        return "tests.faults.unprotected" if self.without else "ingestion_service"

    def _environment(self, **settings: object) -> dict[str, str]:
        own = {"BATCH_MAX_EVENTS": 500, "BATCH_LINGER_MS": 10, "WITHOUT": self.without}
        return ingestion(self.topics, self.database, **{**own, **settings})

    def committed(self) -> int:
        """Offsets that are committed, over all partitions."""
        [(offsets,)] = rows(
            self.database,
            f"SELECT coalesce(sum(next_offset - first_offset), 0)::int8 FROM {CHAPTERS}",  # noqa: S608
        )
        return int(offsets)

    def accepted(self) -> int:
        """Records that Kafka has confirmed, or the API."""
        return sum(len(load.accepted.records) for load in self._loads)

    def flows(self, least: int = 1_000) -> None:
        """Waits until so many more offsets are committed."""
        goal = self.committed() + least
        wait_for(lambda: self.committed() >= goal, f"{least} more events are committed")

    def positions(self) -> dict[int, int]:
        """Each partition's next offset."""
        return dict(rows(self.database, "SELECT partition, next_offset FROM kafka_offsets"))

    def owners(self) -> list[tuple[int, str, int]]:
        """(partition, owner, epoch) of each claim."""
        return rows(self.database, "SELECT partition, owner::text, owner_epoch FROM kafka_offsets ORDER BY partition")

    def claimed_anew(self, before: list[tuple[int, str, int]]) -> None:
        """Waits until every partition has had a claim since then."""
        epochs = {partition: epoch for partition, _, epoch in before}
        wait_for(
            lambda: all(epoch > epochs.get(partition, 0) for partition, _, epoch in self.owners()),
            "every partition is claimed anew",
        )

    def expect(self, holds: bool, otherwise: str) -> None:
        """What else this fault asks for; goes into the verdict."""
        if not holds:
            self._problems.append(otherwise)

    def awaits(self, condition: Callable[[], bool], what: str, timeout_s: float = SETTLE_S) -> bool:
        """Whether it came true in time, for a control in less; if not, that goes into the verdict."""
        try:
            wait_for(condition, what, min(timeout_s, NOTICED_S) if self.without else timeout_s)
        except AssertionError as error:
            self._problems.append(str(error))
            return False
        return True

    def strike(self) -> None:
        """A fault is injected now."""
        self._injected += 1
        self._in_flight += max(0, self.accepted() - self.committed())

    def healed(self) -> None:
        """The fault has ended now: what Kafka holds must be committed soon, and more under a running load."""
        self._healed_at = time.monotonic()
        wait_for(self._answers, "the broker answers")
        self._committed = self.committed() + any(load.running for load in self._loads)

    def recovered(self, timeout_s: float = SETTLE_S) -> None:
        """Waits until all that Kafka held when the fault ended is committed."""
        if self.awaits(self._caught_up, "what came before the end of the fault is committed", timeout_s):
            self._recovery_s = max(self._recovery_s, time.monotonic() - self._healed_at)
        self._until = {}

    def _answers(self) -> bool:
        """Whether every partition has a leader again; if so, where they end."""
        try:
            self._until = high_watermarks(self.topics)
        except KafkaException:
            return False
        return bool(self._until)

    def _caught_up(self) -> bool:
        stands = self.positions()
        ahead = all(stands.get(partition, -1) >= end for partition, end in self._until.items())
        return ahead and self.committed() >= self._committed

    def outgrown(self) -> bool:
        """Whether each partition holds more than was read of it, or of its former self."""
        try:
            ends = high_watermarks(self.topics)
        except KafkaException:  # partitions that were just made may have no leader yet
            return False
        return all(ends.get(partition, -1) > offset for partition, offset in self.positions().items())

    def stands_still(self, port: int, partitions: set[int], reason: str) -> bool:
        """Whether just these stop, while readiness and the metric say so and the others go on; if not: the verdict."""
        expected = [f"partition {number} stopped: {reason}" for number in sorted(partitions)]
        if not self.awaits(lambda: readiness.problems(port) == expected, f"readiness says {expected}"):
            return False
        said = readiness.stopped(port)
        self.expect(said == {reason: len(partitions)}, f"the metric says {said}")
        before, sent = self.positions(), self.accepted()
        wait_for(lambda: self.accepted() > sent + 4_000, "the load goes on")
        after = self.positions()
        moved = {number for number, offset in after.items() if offset != before[number]}
        self.expect(moved == after.keys() - partitions, f"partitions {sorted(moved)} went on")
        return moved == after.keys() - partitions

    def verdict(self, fault: str, timeout_s: float = SETTLE_S, *, told: bool = True) -> Verdict:
        """Ends the load, waits until a running service has done all of it, and compares.

        What isn't done within `timeout_s` is in the verdict, not an error: a control may never get there.
        """
        if self._until:
            self.recovered(timeout_s)
        self._settle(timeout_s)
        findings = compare([load.accepted for load in self._loads], self.topics, self.database, told=told)
        verdict = Verdict(
            fault,
            self._injected,
            self._in_flight,
            findings.lost,
            findings.doubled,
            round(self._recovery_s, 1),
            (*self._problems, *findings.problems),
            self.without,
        )
        self._report(verdict)
        return verdict

    def _settle(self, timeout_s: float) -> None:
        for load in self._loads:
            load.stop()
        ends = sorted(high_watermarks(self.topics).items())
        self.awaits(lambda: self._stands() == ends, "all is committed, acknowledged and told", timeout_s)

    def told(self) -> bool:
        """Whether the acks and dead letters of all that is committed have left."""
        [(partitions,)] = rows(self.database, "SELECT count(*) FROM kafka_offsets")
        return len(self._stands()) == int(partitions)

    def _stands(self) -> list[tuple[int, int]]:
        """(partition, next offset) of those whose acks and dead letters have left."""
        return rows(
            self.database,
            "SELECT partition, next_offset FROM kafka_offsets o WHERE acked_offset = next_offset AND NOT EXISTS"
            " (SELECT FROM dead_letters d WHERE (d.published_at IS NULL OR d.acked_at IS NULL)"
            " AND d.partition = o.partition) ORDER BY 1",
        )
