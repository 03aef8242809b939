"""`make demo` as a user sees it: events to statistics over HTTP, and nothing left behind."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import environment, ports, postgres, process, stack


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose stack wishes for ports of its own; removed with whatever still runs."""
    first = random.randrange(20_000, 30_000)
    wished = {name: first + number for number, name in enumerate(ports.DEFAULTS)}
    environment.write(tmp_path, environment.addresses(wished))
    yield tmp_path
    stack.reset(tmp_path, say=lambda _: None)


def start(home: Path, seconds: int) -> subprocess.Popen[str]:
    env = {**os.environ, "PLUMBLINE_HOME": str(home), "DEMO_SECONDS": str(seconds)}
    command = [sys.executable, "-c", "from ops.cli import main; main()", "demo"]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def until_curl(demo: subprocess.Popen[str]) -> tuple[str, list[str]]:
    """The printed command, and all lines up to it."""
    assert demo.stdout is not None
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if line.startswith("curl "):
            return line, lines
    raise AssertionError("the demo ended before it printed its command:\n" + "".join(lines))


def leftovers(home: Path) -> list[object]:
    marked = [each for processes in process.find(home).values() for each in processes]
    return [*marked, *postgres.backends(postgres.data_folder(home))]


def test_the_demo_answers_counts_everything_and_leaves_no_process(home: Path) -> None:
    demo = start(home, seconds=8)
    command, before = until_curl(demo)
    answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    rows = json.loads(answer.stdout)["rows"]
    assert sum(row["count"] for row in rows) > 100
    after, _ = demo.communicate(timeout=90)
    said = "".join(before) + after
    assert demo.returncode == 0, said
    assert "events/s" in said
    assert "every event accounted for" in said
    assert "\x1b" not in said, "no control codes off a terminal"
    assert leftovers(home) == []

    began = time.monotonic()
    again = start(home, seconds=1)
    until_curl(again)
    assert time.monotonic() - began < 30.0, "a second start answers within half a minute"
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=60)
    assert leftovers(home) == []


def test_down_finds_everything_after_the_demo_was_killed(home: Path) -> None:
    demo = start(home, seconds=60)
    until_curl(demo)
    demo.kill()
    demo.communicate(timeout=10)
    assert "simulator" in stack.down(home, say=lambda _: None)
    assert leftovers(home) == []
