"""The broker ends, dies or freezes: ingestion waits and goes on by itself."""

import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests import servers
from tests.faults import broker
from tests.faults.broker import Broker
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.pipeline import wait_for
from tests.servers import Database

BACKLOG = 20_000  # so that commits, and acks, are under way when it strikes
SESSION_S = 2


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker.running(tmp_path_factory.mktemp("kafka").resolve()) as running:
        yield running


@pytest.fixture
def scene(kafka: Broker, database: Database, report: Callable[[Verdict], None]) -> Iterator[Scene]:
    with servers.fresh_topics(kafka.values, 2) as topics:
        yield Scene(topics, database, report)


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_broker_is_gone(scene: Scene, kafka: Broker, number: signal.Signals) -> None:
    gone(scene, kafka, number).survived()


def test_the_broker_is_frozen_for_longer_than_a_session(scene: Scene, kafka: Broker, long: bool) -> None:
    frozen(scene, kafka, 60 if long else 5).survived()


def test_control_nobody_waits_for_the_broker_to_confirm(scene: Scene, kafka: Broker) -> None:
    """Acks that were on their way when the broker died are gone."""
    scene.without = "delivery_reports"
    assert any(problem.startswith("acks") for problem in gone(scene, kafka, signal.SIGKILL).problems)
