"""A Kafka client that nobody answers any more is made anew, and nothing is lost or counted twice."""

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
        wait_for(lambda: "kafka_clients_renewed" in service.output(), "the client being given up")
        scene.healed()
        scene.recovered()
        scene.verdict(f"a Kafka client that hears nothing: {kind}").survived()
        assert service.output().count("kafka_clients_renewed") == 1
        service.send(signal.SIGTERM)
        assert service.wait(15) == 0
    assert caught_up(scene.topics, scene.database)
