"""A random storm of faults of all kinds; the same seed is the same storm."""

import os
import random
from collections.abc import Callable, Iterator

import pytest

from tests import servers
from tests.faults.broker import Broker
from tests.faults.scene import Scene
from tests.faults.storm import Step, Storm, plan
from tests.faults.verdict import Verdict
from tests.proxy import proxied
from tests.servers import Database

SHORT_S = 25.0
LONG_S = 600.0
SEED = 322  # of its faults, each comes at least once
ASKED_S = float(os.environ.get("STORM_SECONDS", 0))


@pytest.fixture
def scene(kafka: Broker, database: Database, report: Callable[[Verdict], None]) -> Iterator[Scene]:
    with servers.fresh_topics(kafka.values, 6) as topics:
        yield Scene(topics, database, report)


def storm(scene: Scene, broker: Broker, name: str, steps: list[Step]) -> Verdict:
    address = scene.database.environment()
    with scene.load(rate=1_000, shuffle_seed=1), proxied(address["DB_HOST"], int(address["DB_PORT"])) as proxy:
        weather = Storm(scene, proxy, broker)
        try:
            scene.flows()
            weather.run(steps)
            scene.healed()
            scene.recovered()
            return scene.verdict(name)
        finally:
            weather.end()


@pytest.mark.timeout(max(LONG_S, ASKED_S) + 400)
def test_a_storm(scene: Scene, kafka: Broker, long: bool, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("STORM_SEED", random.randrange(10_000) if long else SEED))
    seconds = ASKED_S or (LONG_S if long else SHORT_S)
    name, steps = f"storm, STORM_SEED={seed} STORM_SECONDS={seconds:g}", plan(seed, seconds)
    with capsys.disabled():  # whoever watches sees what comes, and how to have it again
        print("", name, *steps, sep="\n", flush=True)
    storm(scene, kafka, name, steps).survived()


@pytest.mark.long
def test_control_members_that_try_once(scene: Scene, kafka: Broker) -> None:
    scene.without = "retries"
    steps = [Step(at, "database connections ended", 0, 0) for at in (1, 2, 3)]
    assert storm(scene, kafka, "storm of ended connections", steps).lost > 0
