"""What stays when containers go: data, secrets and tokens."""

import hashlib

import pytest

from tests.compose import account
from tests.compose.client import Client
from tests.compose.conftest import token
from tests.compose.stack import SERVICES, Stack, tagged
from tests.pipeline import wait_for


def _secrets(stack: Stack) -> str:
    shown = stack.compose("run", "--rm", "-T", "--entrypoint", "sh", "ops", "-c", "cat /run/plumbline/*")
    return hashlib.sha256(shown.encode()).hexdigest()


def _known(stack: Stack, client: Client) -> dict[str, object]:
    """What must be the same afterwards."""
    asked = {"device_id": "first", "metric": "m", "bucket": "none", "from": "-1d"}
    return {
        "statistics": [(row["count"], row["min"], row["max"], row["p50"]) for row in client.stats(**asked)],
        "totals": account.totals(stack),
        "events": stack.number("SELECT count(*) FROM events"),
        "secrets": _secrets(stack),
    }


@pytest.mark.smoke
def test_down_and_up_again(stack: Stack) -> None:
    account.settle(stack)
    made_before = token(stack)
    before = _known(stack, Client(stack.port, made_before))
    stack.compose("down")
    assert "container" not in stack.left()
    assert len(stack.left()["volume"]) >= 3
    stack.compose("up", "-d")
    client = Client(stack.port, made_before)
    wait_for(lambda: client.answers("/readyz"), "the API is ready")
    assert _known(stack, client) == before
    stack.ops("reconcile")


def test_another_image(stack: Stack) -> None:
    """`up` with a newer tag replaces the containers and keeps what they have stored."""
    account.settle(stack)
    before = _known(stack, Client(stack.port, token(stack)))
    old = {service: stack.one(service).inspect()["Id"] for service in SERVICES}
    was = stack.tag
    with tagged(f"{was}-next") as newer:
        try:
            stack.tag = newer
            stack.compose("up", "-d", "--no-build")
            replaced = {service for service in SERVICES if stack.one(service).inspect()["Id"] != old[service]}
            assert replaced == {"ingestion", "aggregation", "api", "front"}
            client = Client(stack.port, token(stack))
            wait_for(lambda: client.answers("/readyz"), "the API is ready")
            assert _known(stack, client) == before
        finally:
            stack.tag = was
            stack.compose("up", "-d", "--no-build")
