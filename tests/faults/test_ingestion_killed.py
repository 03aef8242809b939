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


def test_control_offsets_committed_before_their_events(scene: Scene) -> None:
    scene.without = "offsets_with_events"
    assert killed_at(scene, "ingestion.before_commit").lost > 0
