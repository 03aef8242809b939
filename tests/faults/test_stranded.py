"""An ingestion whose Kafka client nobody answers begins again, and nothing is lost or counted twice."""

import signal

import pytest

from tests.faults.scene import Scene
from tests.pipeline import caught_up, ingestion, running, wait_for

_LONG = [pytest.param(kind, marks=pytest.mark.long) for kind in ("producer", "admin")]


@pytest.mark.parametrize("kind", ["consumer", *_LONG])
def test_ingestion_begins_anew(scene: Scene, kind: str) -> None:
    environment = ingestion(scene.topics, scene.database, METRICS_PORT=0)
    with running("tests.faults.stranded", environment, {"STRANDED": kind}) as service, scene.load():
        scene.strike()
        wait_for(lambda: "started_again" in service.output(), "the client being given up")
        scene.healed()
        scene.recovered()
        scene.verdict(f"a Kafka client that hears nothing: {kind}").survived()
        assert service.output().count("started_again") == 1
        service.send(signal.SIGTERM)
        assert service.wait(15) == 0
    assert caught_up(scene.topics, scene.database)
