"""Ingestion processes that are asked to end, freeze, meet a rival, come and go."""

import signal
import time

import pytest

from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.pipeline import wait_for

MAX_POLL_INTERVAL_S = 3


def terminated(scene: Scene, times: int = 3) -> Verdict:
    with scene.load():
        for _ in range(times):
            with scene.service() as service:
                scene.flows()
                scene.strike()
                service.send(signal.SIGTERM)
                status = service.wait(15)
                scene.expect(status == 0, f"it ended with status {status}")
                scene.expect(scene.told(), "it left before its last acks and dead letters did")
                scene.healed()
        with scene.service():
            scene.recovered()
            return scene.verdict("SIGTERM under load")


def frozen(scene: Scene, seconds: float) -> Verdict:
    """Inside a transaction, and for longer than its group waits: another one has its partitions when it wakes up."""
    settings = {"KAFKA_MAX_POLL_INTERVAL_MS": MAX_POLL_INTERVAL_S * 1_000}
    with scene.load(), scene.service(**settings, FAILPOINTS="ingestion.after_copy=stop@20") as zombie:
        wait_for(lambda: zombie.frozen, "it froze inside its transaction")
        scene.strike()
        until, before = time.monotonic() + seconds, scene.owners()
        with scene.service():
            scene.claimed_anew(before)
            time.sleep(max(0.0, until - time.monotonic()))  # that is the fault
            zombie.send(signal.SIGCONT)
            scene.healed()
            scene.recovered()
            return scene.verdict(f"SIGSTOP for {seconds:.0f} s, max.poll.interval is {MAX_POLL_INTERVAL_S} s")


def rivals(scene: Scene) -> Verdict:
    """Two groups on one topic and database: both are given every partition, and fence each other again and again."""
    with scene.load(), scene.service():
        scene.flows()
        for number in range(2):
            with scene.service(CONSUMER_GROUP=f"rival-{number}-of-{scene.topics.settings.topic_readings}"):
                scene.strike()
                scene.claimed_anew(scene.owners())
                scene.flows()
                scene.healed()
        scene.recovered()
        return scene.verdict("two consumers on the same partitions")


def come_and_go(scene: Scene, times: int) -> Verdict:
    """Members join, and leave or die, about every second."""
    with scene.load(), scene.service():
        scene.flows()
        for number in range(times):
            before = scene.owners()
            with scene.service() as guest:
                scene.claimed_anew(before)
                scene.strike()
                guest.send(signal.SIGKILL if number % 3 == 2 else signal.SIGTERM)
                guest.wait()
        scene.healed()
        scene.recovered()
        return scene.verdict("members join, leave and die")


def test_sigterm(scene: Scene) -> None:
    terminated(scene).survived()


@pytest.mark.long
def test_control_nobody_hears_sigterm(scene: Scene) -> None:
    scene.without = "sigterm"
    assert any("status -15" in problem for problem in terminated(scene, times=1).problems)


@pytest.mark.timeout(240)
def test_frozen_for_longer_than_its_group_waits(scene: Scene, long: bool) -> None:
    frozen(scene, 60 if long else 6).survived()


@pytest.mark.long
def test_control_a_frozen_process_that_nothing_fences(scene: Scene) -> None:
    """The primary key stands behind, so that its events aren't stored twice: they are counted twice."""
    scene.without = "compare_and_set"
    assert frozen(scene, 6).doubled > 0


def test_two_consumers_on_the_same_partitions(scene: Scene) -> None:
    rivals(scene).survived()


@pytest.mark.long
def test_control_rivals_that_nothing_fences(scene: Scene) -> None:
    """As above: the primary key keeps the rows single, but not the counts."""
    scene.without = "compare_and_set"
    assert rivals(scene).doubled > 0


@pytest.mark.timeout(600)
def test_members_come_and_go(scene: Scene, long: bool) -> None:
    come_and_go(scene, 60 if long else 3).survived()


@pytest.mark.long
def test_control_members_that_begin_anew(scene: Scene) -> None:
    scene.without = "stored_offsets"
    assert come_and_go(scene, 2).doubled > 0
