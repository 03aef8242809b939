"""kill -9 of ingestion at exact spots and at any time: its successor ends the work."""

import signal

import pytest

from tests.faults.scene import Scene
from tests.faults.verdict import Verdict

SPOTS = [
    "ingestion.after_copy",
    "ingestion.after_compare_and_set",
    "ingestion.before_commit",
    "ingestion.after_commit",
    "relay.before_publish",
    "relay.before_mark",
    "relay.before_mark_dead_letters",
]


def killed_at(scene: Scene, spot: str) -> Verdict:
    with scene.load():
        with scene.service(FAILPOINTS=f"{spot}=kill@10") as service:
            assert service.wait(60) == -signal.SIGKILL
        scene.strike()
        scene.healed()
        with scene.service():
            scene.recovered()
            return scene.verdict(f"kill -9 at {spot}")


@pytest.mark.parametrize("spot", SPOTS)
def test_killed_at_an_exact_spot(scene: Scene, spot: str) -> None:
    killed_at(scene, spot).survived()


@pytest.mark.long
def test_killed_again_and_again(scene: Scene) -> None:
    """Between two of the spots, most likely; its control is the one of the spots."""
    with scene.load():
        for _ in range(3):
            with scene.service() as service:
                scene.flows()
                scene.strike()
                service.send(signal.SIGKILL)
                assert service.wait() == -signal.SIGKILL
                scene.healed()
        with scene.service():
            scene.verdict("kill -9 at any time").survived()


def test_control_offsets_committed_before_their_events(scene: Scene) -> None:
    scene.without = "offsets_with_events"
    assert killed_at(scene, "ingestion.before_commit").lost > 0


@pytest.mark.long
def test_control_events_committed_before_their_offsets(scene: Scene) -> None:
    """The primary key stands behind: without it the rows would be there twice."""
    scene.without = "events_with_offsets"
    with scene.database.connect() as connection:
        connection.execute("ALTER TABLE events DROP CONSTRAINT events_pkey")
    assert killed_at(scene, "ingestion.after_compare_and_set").doubled > 0


@pytest.mark.long
def test_control_dead_letters_written_after_the_commit(scene: Scene) -> None:
    scene.without = "dead_letters_with_offsets"
    assert killed_at(scene, "ingestion.after_commit").lost > 0


@pytest.mark.long
def test_control_acks_marked_before_they_are_published(scene: Scene) -> None:
    scene.without = "publish_then_mark"
    verdict = killed_at(scene, "relay.before_publish")
    assert any(problem.startswith("acks") for problem in verdict.problems)
