"""`docker stop`: each service hears SIGTERM, finishes what it is about, and ends well before it would be killed."""

import signal

import pytest

from tests.compose import account, cli
from tests.compose.report import Report
from tests.compose.scene import under_load
from tests.compose.stack import Stack
from tests.pipeline import wait_for

GRACE_S = 30


@pytest.mark.parametrize("service", [pytest.param("ingestion", marks=pytest.mark.smoke), "aggregation", "api"])
def test_ends_by_itself(stack: Stack, measured: Report, service: str) -> None:
    before = account.totals(stack)["duplicates"]
    with under_load(stack, f"stop-{service}", "kafka") as scene:
        container = stack.one(service)
        status, seconds = container.stop(GRACE_S)
        measured.figure(f"`docker stop` of {service} under load", seconds, "s")
        assert status == 0, container.logs()[-2_000:]
        assert seconds < GRACE_S / 2
        stack.compose("up", "-d")
        wait_for(lambda: container.life().well, f"{service} is healthy again")
    summary = scene.sender.stop()
    found = account.judge(stack, scene.client, scene.prefix, summary, scene.probe)
    assert (found.lost, found.doubled, found.problems) == (0, 0, [])
    # What was read was committed: nothing came a second time but what was sent so.
    assert account.totals(stack)["duplicates"] - before == summary["expected"]["duplicates"]


@pytest.mark.smoke
def test_ends_while_it_starts(stack: Stack, measured: Report) -> None:
    """Python imports for a second, and has no handler yet."""
    container = stack.one("api")
    container.stop(GRACE_S)
    cli.docker("start", container.name)
    status, seconds = container.stop(GRACE_S)
    measured.figure("`docker stop` of api right after its start", seconds, "s")
    assert status in {0, 128 + signal.SIGTERM}
    assert seconds < 5


@pytest.mark.parametrize("service", ["kafka", "postgres"])
def test_servers_close_their_files(stack: Stack, measured: Report, service: str) -> None:
    container = stack.one(service)
    status, seconds = container.stop(60)
    measured.figure(f"`docker stop` of {service}", seconds, "s")
    assert status in {0, 143}  # Java tells of the signal
    assert seconds < GRACE_S
