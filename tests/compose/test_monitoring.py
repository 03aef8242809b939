"""Prometheus in containers: it finds each replica, and tells a service that is gone from one that has fewer."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
import yaml

from tests.compose import cli
from tests.compose.report import Report
from tests.compose.stack import ROOT, Stack
from tests.pipeline import wait_for

_STAND_INS = ROOT / "tests" / "compose" / "standins.yml"
_WATCHERS = ("prometheus", "alertmanager")


class Prometheus:
    """The one of a stack, by its port on the host."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/query"

    def ask(self, query: str) -> list[dict[str, str]]:
        """The labels of what an expression finds at present, each with its `value`."""
        data = urllib.parse.urlencode({"query": query}).encode()
        with urllib.request.urlopen(self._url, data, timeout=10) as answer:  # noqa: S310  our own URL
            found = json.load(answer)["data"]["result"]
        return [{**each["metric"], "value": each["value"][1]} for each in found]

    def answering(self) -> dict[str, int]:
        """Services, with the number of their processes that answer."""
        return {
            each["service"]: int(each["value"]) for each in self.ask('count by (service) (up{job="plumbline"} == 1)')
        }

    def firing(self) -> set[str]:
        return {each["alertname"] for each in self.ask('ALERTS{alertstate="firing"}')}


@pytest.fixture
def prometheus(stack: Stack) -> Iterator[Prometheus]:
    """With its Alertmanager, beside the session's stack, on a port that the engine chooses."""
    watch(stack, "up", "-d", "--no-deps", *_WATCHERS)
    container = stack.one("prometheus")
    wait_for(lambda: container.life().well, "Prometheus is healthy")
    yield Prometheus(int(cli.docker("port", container.name, "9090/tcp").rpartition(":")[2]))
    watch(stack, "rm", "--stop", "--force", *_WATCHERS)
    cli.docker("volume", "rm", *(f"{stack.project}_{name}-data" for name in _WATCHERS))


def watch(stack: Stack, *arguments: str) -> str:
    """Compose with the watchers' profile, and with the stand-ins' images where no others are."""
    images = [yaml.safe_load(file.read_text())["services"]["prometheus"]["image"] for file in files()]
    there = [cli.run(["docker", "image", "inspect", image]).returncode == 0 for image in images]
    others = ["-f", str(_STAND_INS)] if there == [False, True] else []
    command = stack.command(*others, "--profile", "prometheus", *arguments)
    return cli.printed(command, {**stack.own, "PROMETHEUS_PORT": "0"})


def files() -> tuple[Path, Path]:
    return ROOT / "docker-compose.yml", _STAND_INS


def test_replicas_are_found_and_a_service_that_is_gone_is_told(
    stack: Stack, prometheus: Prometheus, measured: Report
) -> None:
    one = {"ingestion": 1, "aggregation": 1, "api": 1}
    wait_for(lambda: prometheus.answering() == one, "Prometheus sees each service")
    stack.compose("up", "-d", "--no-recreate", "--scale", "ingestion=3", "--scale", "api=2")
    wait_for(lambda: prometheus.answering() == {**one, "ingestion": 3, "api": 2}, "Prometheus sees each replica")
    stack.compose("up", "-d", "--no-recreate", "--scale", "ingestion=1", "--scale", "api=1")
    wait_for(lambda: len(prometheus.ask('up{job="plumbline"}')) == 3, "those that are gone are no targets any more")
    assert prometheus.ask('max_over_time(ALERTS{alertstate="firing"}[10m])') == []

    # A younger one takes what it doesn't find for what has yet to come up with it.
    grown = 'time() - process_start_time_seconds{job="prometheus"} > 120'
    wait_for(lambda: bool(prometheus.ask(grown)), "Prometheus knows who is there", 130)
    stack.compose("stop", "ingestion")
    began = monotonic()
    wait_for(lambda: prometheus.firing() == {"PlumblineServiceDown"}, "the alert fires")
    assert prometheus.ask('up{service="ingestion"}') == []
    measured.figure("ingestion stopped: until PlumblineServiceDown fires", monotonic() - began, "s")
    wait_for(lambda: "PlumblineServiceDown" in told(stack), "Alertmanager has it")
    stack.compose("start", "ingestion")
    wait_for(lambda: not prometheus.firing(), "the alert is over")


def told(stack: Stack) -> str:
    """What Alertmanager has, as its own tool shows it."""
    container = stack.one("alertmanager").name
    return cli.docker("exec", container, "amtool", "--alertmanager.url=http://127.0.0.1:9093", "alert", "query")
