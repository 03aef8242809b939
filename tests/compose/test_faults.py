"""Each container is killed, restarted, stopped or paused under load: nothing that was accepted is lost or doubled."""

import time
from collections.abc import Callable

import pytest

from tests.compose import cli
from tests.compose.containers import Container
from tests.compose.report import Report
from tests.compose.scene import Scene, under_load
from tests.compose.stack import Stack
from tests.pipeline import wait_for

SERVICES = ("kafka", "postgres", "ingestion", "aggregation", "api", "front")
PAUSE_S = 20.0


def _through(scene: Scene, service: str) -> None:
    """Waits until what the service is for is done again."""
    scene.aggregates() if service == "aggregation" else scene.flows()


def _struck(
    stack: Stack, measured: Report, service: str, how: str, way: str, break_it: Callable[[Container], object]
) -> None:
    with under_load(stack, f"{how.partition(',')[0].lower()}-{service}", way) as scene:
        container = stack.one(service)
        scene.strike(container)
        break_it(container)
        scene.struck()
        _through(scene, service)
        scene.healthy()
    blow = scene.blow(service, how)
    measured.blows.append(blow)
    blow.survived()


@pytest.mark.parametrize("service", [*SERVICES[:2], pytest.param("ingestion", marks=pytest.mark.smoke), *SERVICES[3:]])
def test_killed(stack: Stack, measured: Report, service: str) -> None:
    """By SIGKILL; its restart policy brings it back."""
    _struck(stack, measured, service, "SIGKILL", "http", lambda container: container.kill(stack.ops_image))


@pytest.mark.parametrize("service", SERVICES[2:])
def test_restarted(stack: Stack, measured: Report, service: str) -> None:
    _struck(stack, measured, service, "restart", "kafka", lambda _: stack.compose("restart", service))


@pytest.mark.parametrize("service", SERVICES[:2])
def test_stopped_and_started(stack: Stack, measured: Report, service: str) -> None:
    def stop_and_up(_: Container) -> None:
        stack.compose("stop", service)
        stack.compose("up", "-d")

    _struck(stack, measured, service, "stop, up", "kafka", stop_and_up)


@pytest.mark.parametrize("service", SERVICES[:2])
def test_paused(stack: Stack, measured: Report, service: str) -> None:
    """Frozen for a while; then it goes on by itself, and so does all else."""
    with under_load(stack, f"pause-{service}", "http") as scene:
        container = stack.one(service)
        scene.strike(container)
        cli.docker("pause", container.name)
        try:
            time.sleep(PAUSE_S)  # the fault is its length
        finally:
            cli.docker("unpause", container.name)
        scene.ended()
        scene.flows()
        scene.healthy(anew=False)
    blow = scene.blow(service, f"pause {PAUSE_S:.0f} s")
    measured.blows.append(blow)
    blow.survived()


@pytest.mark.parametrize("how", ["SIGKILL", "restart"])
def test_one_api_of_two(stack: Stack, measured: Report, how: str) -> None:
    """The other one takes all the while what its clients send."""
    stack.compose("up", "-d", "--no-recreate", "--scale", "api=2")
    wait_for(lambda: all(each.life().well for each in stack.containers("api")), "both APIs are healthy")
    with under_load(stack, f"two-{how.lower()}", "http") as scene:
        victim = stack.containers("api")[0]
        scene.strike(victim)
        victim.kill(stack.ops_image) if how == "SIGKILL" else cli.docker("restart", victim.name)
        scene.struck()
        scene.flows()
        scene.healthy()
    blow = scene.blow("api, one of 2", how)
    measured.blows.append(blow)
    blow.survived()
    others = sum(scene.probe.answers.values()) - scene.probe.answers["202"]
    assert others <= 2, "but for what the victim had in its hands, all is taken"
