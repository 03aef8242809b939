"""Loads that repeat themselves, are out of order, or are poison: no fault but what devices do."""

from collections.abc import Callable

import pytest

from tests import aggregated
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.pipeline import wait_for


def sent(scene: Scene, fault: str, meanwhile: Callable[[], object] = lambda: None, **shape: int) -> Verdict:
    with scene.load(**shape):
        wait_for(lambda: scene.accepted() > 2_000, "some of it waits")
        scene.strike()
        scene.healed()
        with scene.service():
            scene.recovered()
            meanwhile()
            scene.flows(2_000)
            return scene.verdict(fault)


def three_times(scene: Scene) -> Verdict:
    return sent(scene, "each event three times, shuffled", copies=3, shuffle_seed=1)


def shuffled(scene: Scene) -> Verdict:
    """The aggregator closes the buckets in the middle of it: all that follows is late."""
    return sent(scene, "shuffled, below the watermark", lambda: aggregated.run(scene.database), shuffle_seed=2)


def poison(scene: Scene, every: int) -> Verdict:
    return sent(scene, "all poison" if every == 1 else f"poison every {every}th", poison_every=every)


def test_each_event_three_times(scene: Scene) -> None:
    three_times(scene).survived()


@pytest.mark.long
def test_control_nobody_looks_for_duplicates(scene: Scene) -> None:
    """The primary key stands behind; both are off."""
    scene.without = "deduplication"
    with scene.database.connect() as connection:
        connection.execute("ALTER TABLE events DROP CONSTRAINT events_pkey")
    assert three_times(scene).doubled > 0


def test_shuffled_below_the_watermark(scene: Scene) -> None:
    shuffled(scene).survived()


@pytest.mark.long
def test_control_nobody_tells_of_late_events(scene: Scene) -> None:
    scene.without = "late_buckets"
    assert any(problem.startswith("statistics") for problem in shuffled(scene).problems)


@pytest.mark.long
def test_poison_every_seventh(scene: Scene) -> None:
    poison(scene, 7).survived()


def test_all_poison(scene: Scene) -> None:
    poison(scene, 1).survived()


@pytest.mark.long
def test_control_poison_is_dropped(scene: Scene) -> None:
    scene.without = "dead_letters"
    assert poison(scene, 7).lost > 0
