"""A fresh `docker compose up`: in which order, and that another one changes nothing."""

import hashlib

import pytest

from tests.compose import history
from tests.compose.client import Client
from tests.compose.stack import SERVICES, Stack

pytestmark = pytest.mark.smoke


def test_first_statistics_are_those_of_the_first_event(client: Client) -> None:
    [row] = client.stats(device_id="first", bucket="none")
    assert (row["metric"], row["count"], row["min"], row["max"], row["method"]) == ("m", 1, 42.0, 42.0, "exact")


def test_each_starts_when_what_it_needs_is_there(stack: Stack) -> None:
    for service in ("secrets", "migrate"):
        assert stack.one(service).life().exit_code == 0

    def first(service: str, what: str) -> int:
        return history.first(stack.history, service, what)

    order = [("secrets", "die"), ("postgres", "start"), ("postgres", "health_status: healthy"), ("migrate", "start")]
    times = [first(*each) for each in order]
    assert times == sorted(times), dict(zip(order, times, strict=True))
    assert first("kafka", "health_status: healthy") < first("migrate", "start")
    for service in ("ingestion", "aggregation", "api"):
        assert first("migrate", "die") < first(service, "start")


def test_up_again_changes_nothing(stack: Stack) -> None:
    def state() -> dict[str, object]:
        lives = {service: stack.one(service).life() for service in SERVICES}
        secrets = stack.compose("run", "--rm", "-T", "--entrypoint", "sh", "ops", "-c", "cat /run/plumbline/*")
        offsets = stack.sql("SELECT partition, owner, owner_epoch, next_offset FROM kafka_offsets ORDER BY 1")
        return {"lives": lives, "secrets": hashlib.sha256(secrets.encode()).hexdigest(), "offsets": offsets}

    before = state()
    stack.compose("up", "-d")
    assert state() == before
