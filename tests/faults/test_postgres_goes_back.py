"""Postgres goes back in time, as after a fail-over to an asynchronous replica: offsets go back with the events."""

import pytest

from tests.faults.member import member
from tests.faults.postgres import Server
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.pipeline import caught_up, wait_for


def back(scene: Scene, server: Server) -> Verdict:
    """Devices and a layout that ingestion knows are among what is gone; others take their ids before it comes back."""
    with scene.load(rate=500) as load, member(scene) as one:
        scene.flows()
        server.save()
        scene.flows()
        with scene.load(rate=500, devices=131, first=1_000_000):
            scene.flows(3_000)
        load.stop()
        wait_for(lambda: caught_up(scene.topics, scene.database), "all is committed")
        before = scene.positions()
        scene.strike()
        server.restore()
        with scene.database.connect() as connection:
            connection.execute("SELECT register_devices(ARRAY['other-1', 'other-2', 'other-3'], 1000)")
        scene.healed()
        assert scene.positions() != before, "it didn't go back: this tests nothing"
        with scene.load(rate=500, first=2_000_000):
            return one.verdict("Postgres goes back in time")


def test_it_goes_back(own: Scene, server: Server) -> None:
    verdict = back(own, server)
    # Acks of commits that the database forgot had left already, and ranges are cut otherwise the second time.
    assert [problem for problem in verdict.problems if not problem.startswith("acks:")] == []
    assert (verdict.lost, verdict.doubled) == (0, 0)


@pytest.mark.long
def test_control_ids_are_remembered(own: Scene, server: Server) -> None:
    own.without = "forgetting"
    assert back(own, server).lost > 0
