"""The broker ends, dies or freezes: ingestion waits and goes on by itself."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.faults import readiness
from tests.faults.broker import Broker
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.operator import Operator
from tests.pipeline import caught_up, wait_for
from tests.servers import Database, Topics

BACKLOG = 20_000  # so that commits, and acks, are under way when it strikes
SESSION_S = 2
OTHER = 10_000_000  # where the numbers of a second load begin


@pytest.fixture
def topics(kafka: Broker) -> Iterator[Topics]:
    with servers.fresh_topics(kafka.values, 2) as made:
        yield made


@pytest.fixture
def operator(tmp_path: Path, database: Database, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> Operator:
    return Operator(tmp_path / "home", database, topics, monkeypatch)


@pytest.fixture
def scene(topics: Topics, database: Database, report: Callable[[Verdict], None]) -> Scene:
    return Scene(topics, database, report)


def gone(scene: Scene, kafka: Broker, number: signal.Signals) -> Verdict:
    def away() -> None:
        kafka.send(number)
        kafka.start()

    return struck(scene, away, f"broker {number.name}")


def frozen(scene: Scene, kafka: Broker, seconds: float) -> Verdict:
    def away() -> None:
        kafka.send(signal.SIGSTOP)
        time.sleep(seconds)  # that is the fault
        kafka.send(signal.SIGCONT)

    return struck(scene, away, f"broker SIGSTOP for {seconds:.0f} s, session.timeout is {SESSION_S} s")


def set_back(scene: Scene, kafka: Broker, operator: Operator) -> Verdict:
    """The broker comes back with an older disk; new records then take the offsets of those that it lost."""
    port = readiness.free_port()
    read(scene)
    kafka.save()
    read(scene, first=OTHER)
    scene.strike()
    kafka.restore()
    with scene.service(METRICS_PORT=port):
        scene.awaits(lambda: len(readiness.problems(port)) == 2, "both partitions stand still")
        with scene.load(first=2 * OTHER) as new:
            wait_for(scene.outgrown, "every lost offset has a new record")
            if scene.stands_still(port, {0, 1}, "truncated"):
                both = ("--partition", "0", "--partition", "1")
                operator.json("offsets", "skip", "--to", "latest", *both, "--reason", "the disk was old", "--yes")
                new.accepted.gone = {partition: range(offset) for partition, offset in scene.positions().items()}
            scene.healed()
            scene.recovered()
            return scene.verdict("broker comes back with an older disk", told=False)


def read(scene: Scene, **shape: int) -> None:
    """A load that ends, and is committed."""
    with scene.service():
        with scene.load(**shape):
            scene.flows()
        wait_for(lambda: caught_up(scene.topics, scene.database) and scene.told(), "all of it is committed")


def struck(scene: Scene, fault: Callable[[], None], name: str) -> Verdict:
    with scene.load(burst=BACKLOG):
        wait_for(lambda: scene.accepted() > BACKLOG, "a backlog waits")
        with scene.service(BATCH_MAX_EVENTS=100, KAFKA_SESSION_TIMEOUT_MS=SESSION_S * 1_000) as service:
            scene.flows(500)
            scene.strike()
            fault()
            scene.healed()
            scene.recovered()
            scene.flows()
            scene.expect(service.status is None, f"ingestion ended with status {service.status}")
            return scene.verdict(name)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.long), signal.SIGKILL])
def test_the_broker_is_gone(scene: Scene, kafka: Broker, number: signal.Signals) -> None:
    gone(scene, kafka, number).survived()


def test_the_broker_is_frozen_for_longer_than_a_session(scene: Scene, kafka: Broker, long: bool) -> None:
    frozen(scene, kafka, 60 if long else 5).survived()


@pytest.mark.long
def test_control_nobody_waits_for_the_broker_to_confirm(scene: Scene, kafka: Broker) -> None:
    """Acks that were on their way when the broker died are gone."""
    scene.without = "delivery_reports"
    assert any(problem.startswith("acks") for problem in gone(scene, kafka, signal.SIGKILL).problems)


@pytest.mark.long
def test_the_broker_comes_back_with_an_older_disk(scene: Scene, kafka: Broker, operator: Operator) -> None:
    set_back(scene, kafka, operator).survived()


@pytest.mark.long
def test_control_nobody_minds_an_older_disk(scene: Scene, kafka: Broker, operator: Operator) -> None:
    """What takes the offsets of lost records passes for read."""
    scene.without = "offsets_in_range"
    assert set_back(scene, kafka, operator).lost > 0
