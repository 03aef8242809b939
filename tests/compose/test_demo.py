"""`make demo-docker` as a user sees it: from nothing to statistics over HTTP, and no container is left."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose import cli
from tests.compose.report import Report
from tests.compose.stack import ROOT, Stack, removed_at_the_end

SECONDS = 8


@pytest.fixture
def nothing(images: None, tmp_path: Path) -> Iterator[Stack]:
    """A stack that was never started."""
    stack = Stack(tmp_path)
    with removed_at_the_end(stack):
        yield stack


def demo(stack: Stack) -> "subprocess.Popen[str]":
    """The script on this stack, on ports of its own; what it can do without takes any port."""
    ports = dict(line.split("=", 1) for line in stack._settings.read_text().splitlines())
    own = {**stack.own, **ports, "COMPOSE_PROJECT_NAME": stack.project, "DEMO_SECONDS": str(SECONDS)}
    return subprocess.Popen(
        [ROOT / "deploy" / "docker" / "demo.sh"],
        env=cli.environment({**own, "PROMETHEUS_PORT": "0", "GRAFANA_PORT": "0"}),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.timeout(900)
def test_the_demo_answers_counts_everything_and_leaves_data_only(nothing: Stack, measured: Report) -> None:
    for run in ("first", "second"):
        began = time.monotonic()
        with demo(nothing) as script:
            assert script.stdout is not None
            said = []
            for line in script.stdout:
                said.append(line)
                if line.startswith("curl "):
                    measured.figure(f"make demo-docker, {run} run: until the curl line", time.monotonic() - began, "s")
                    answer = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
                    assert sum(row["count"] for row in json.loads(answer.stdout)["rows"]) > 100
        shown = "".join(said)
        assert script.returncode == 0, shown
        assert "accounting: every event accounted for" in shown
        assert "\x1b" not in shown, "no control codes off a terminal"
        assert set(nothing.left()) == {"volume"}
