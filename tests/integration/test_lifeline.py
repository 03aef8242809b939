"""Real clients, one of which hears nothing."""

import pytest

from shared import kafka, lifeline
from tests import deaf
from tests.pipeline import wait_for
from tests.proxy import proxied
from tests.servers import Topics


@pytest.mark.parametrize("kind", ["consumer", "producer", "admin"])
def test_a_client_that_hears_nothing_is_told_from_the_others(topics: Topics, kind: str) -> None:
    options = {"group_id": "any"} if kind == "consumer" else {}
    with deaf.first(kind):
        one, other = (getattr(kafka, kind)(topics.settings, **options) for _ in range(2))
        assert not lifeline.of(topics.settings, other).cut(0.0)
        both = lifeline.of(topics.settings, one, other)
        assert not both.cut(0.0)
        assert both.cut(9.0)


def test_nobody_is_given_up_while_kafka_is_away(topics: Topics) -> None:
    host, port = topics.settings.kafka_bootstrap_servers.split(":")
    with proxied(host, int(port)) as proxy:
        away = topics.settings.model_copy(update={"kafka_bootstrap_servers": f"{host}:{proxy.port}"})
        client = kafka.admin(away)
        proxy.cut()
        line = lifeline.of(away, client)
        assert not line.cut(0.0)
        assert not line.cut(100.0)


def test_the_thread_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifeline, "_EVERY_S", 0.05)
    monkeypatch.setattr(lifeline, "_PATIENCE_S", 0.2)
    with lifeline.watched(lifeline.Lifeline([lambda: False], lambda: True)) as cut:
        wait_for(cut.is_set, "the client being given up", 5)
