"""More containers of a service: who does what, and that the counts are exact while they come and go."""

import re
import time
from collections import Counter

import pytest

from tests.compose import account, cli
from tests.compose.report import Report
from tests.compose.scene import under_load
from tests.compose.simulator import simulator
from tests.compose.stack import Stack
from tests.pipeline import wait_for

_BACKLOG = 600_000
_ACCEPTED = re.compile(r'^plumbline_gateway_events_total{outcome="accepted"} (\S+)$', re.MULTILINE)


@pytest.mark.smoke
def test_three_ingestions_and_two_apis(stack: Stack, measured: Report) -> None:
    with under_load(stack, "scale", "kafka") as scene:
        began = time.monotonic()
        stack.compose("up", "-d", "--no-recreate", "--scale", "ingestion=3", "--scale", "api=2")
        wait_for(lambda: _shares(stack) == [2, 2, 2], "each of the three ingests two partitions")
        measured.figure(
            "3 ingestion containers instead of 1: from `up` to two partitions each", time.monotonic() - began, "s"
        )
        wait_for(lambda: [n > 0 for n in _took(stack)] == [True, True], "both APIs take a share of the probe's events")
        scene.ended()
        scene.flows()
        stack.compose("up", "-d", "--no-recreate")
        wait_for(lambda: _shares(stack) == [6], "one ingests all partitions")
        scene.ended()
        scene.flows()
    found = account.judge(stack, scene.client, scene.prefix, scene.sender.stop(), scene.probe)
    assert (found.lost, found.doubled, found.problems) == (0, 0, [])
    # What an API had in its hands when it was stopped is for its sender to send again (docs/containers.md).
    others = {status: count for status, count in scene.probe.answers.items() if status != "202"}
    assert others.keys() <= {"502", "503"}
    assert sum(others.values()) <= 2


@pytest.mark.parametrize("many", [1, 3])
def test_rate_into_postgres(stack: Stack, measured: Report, many: int) -> None:
    """Kafka is full before they start. All of it runs on the same cores: this shows no more than that it is shared."""
    stack.compose("up", "-d", "--no-recreate", "--scale", f"ingestion={many}")
    wait_for(lambda: _shares(stack) == [6 // many] * many, "partitions are shared")
    stack.compose("stop", "ingestion")
    prefix = f"rate-{many}-{int(time.time())}-"
    fleet = ("--devices", "1000", "--interval", "6s", "--from", "-3h", "--to", "-2h")
    with simulator(stack, prefix, *fleet) as sender:
        assert account.distinct(sender.wait()) == _BACKLOG
    before = account.totals(stack)["persisted"]
    stack.compose("up", "-d", "--no-recreate", "--scale", f"ingestion={many}")
    points: list[tuple[float, int]] = []

    def done() -> bool:
        points.append((time.monotonic(), account.totals(stack)["persisted"] - before))
        return points[-1][1] >= _BACKLOG

    wait_for(done, "the backlog is stored", 180)
    first = max((point for point in points if point[1] == 0), default=points[0])
    measured.figure(
        f"{many} ingestion container{'s' * (many > 1)}: Kafka → committed in Postgres",
        (points[-1][1] - first[1]) / (points[-1][0] - first[0]),
        "events/s",
    )
    assert account.stored(stack, prefix) == _BACKLOG
    account.settle(stack)


def _shares(stack: Stack) -> list[int]:
    """How many partitions each owner has, if all of them are claimed by containers that are healthy now."""
    containers = stack.containers("ingestion")
    if not all(container.life().well for container in containers):
        return []
    owners = Counter(owner for [owner] in stack.sql("SELECT owner FROM kafka_offsets"))
    return sorted(owners.values()) if len(owners) == len(containers) else []


def _took(stack: Stack) -> list[int]:
    """How many events each API has accepted."""
    script = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9103/metrics').read().decode())"
    shown = [cli.run(["docker", "exec", each.name, "python", "-c", script]).stdout for each in stack.containers("api")]
    return [sum(int(float(n)) for n in _ACCEPTED.findall(text)) for text in shown]
