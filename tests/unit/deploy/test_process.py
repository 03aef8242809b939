"""Processes are found by the marks in their environment, not by files or names."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local import process
from shared.errors import PlumblineError

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]
CHILD = [sys.executable, "-c", f"import subprocess; subprocess.run({SLEEP!r})"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for processes in process.find(tmp_path).values():
        process.stop(processes, signal.SIGKILL)


def started(home: Path, name: str, argv: list[str]) -> psutil.Process:
    spawned = process.spawn(home, name, argv, os.environ)
    process.wait_ready(home, name, spawned, lambda: "up" in process.last_lines(home / "logs" / f"{name}.log"), 10)
    return spawned


def test_a_process_is_found_by_its_stack_and_name(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    spawned = started(home, "one", SLEEP)
    assert [each.pid for each in process.find(home)["one"]] == [spawned.pid]
    assert process.find(tmp_path_factory.mktemp("other")) == {}


def test_it_is_found_by_another_process_after_the_one_that_started_it_was_killed(home: Path) -> None:
    script = (
        "import os, signal; from pathlib import Path; from deploy.local import process;"
        f"process.spawn(Path({str(home)!r}), 'one', {SLEEP!r}, os.environ); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", script], check=False)
    assert killed.returncode == -signal.SIGKILL
    found = process.find(home)["one"]
    assert process.stop(found)
    assert process.find(home) == {}


def test_a_child_is_found_with_its_parent_and_ends_with_it(home: Path) -> None:
    started(home, "one", CHILD)
    found = process.find(home)["one"]
    assert len(found) == 2
    assert process.healthy(found)
    process.stop(found, deadline_s=1.0)
    assert process.find(home) == {}


def test_an_orphaned_child_is_not_taken_for_a_healthy_service(home: Path) -> None:
    parent = started(home, "one", CHILD)
    parent.send_signal(signal.SIGKILL)
    assert process.until(lambda: not process.alive(parent), 5.0)
    left = process.find(home)["one"]
    assert len(left) == 1
    assert not process.healthy(left)


def test_a_deaf_process_is_killed_at_the_deadline(home: Path) -> None:
    spawned = started(home, "one", DEAF)
    assert process.stop([spawned], deadline_s=0.3) is False
    assert not process.alive(spawned)


def test_a_frozen_process_is_woken_to_hear_that_it_shall_stop(home: Path) -> None:
    spawned = started(home, "one", SLEEP)
    spawned.send_signal(signal.SIGSTOP)
    assert process.until(lambda: spawned.status() == psutil.STATUS_STOPPED, 5.0)
    assert process.stop([spawned], deadline_s=5.0)


def test_a_process_that_dies_while_starting_shows_the_end_of_its_log(home: Path) -> None:
    spawned = process.spawn(home, "one", [sys.executable, "-c", "raise SystemExit('no such topic')"], os.environ)
    with pytest.raises(PlumblineError, match=r"(?s)one ended while it was starting.*no such topic"):
        process.wait_ready(home, "one", spawned, lambda: False, 10.0)


def test_a_process_that_never_answers_is_given_up_at_the_deadline(home: Path) -> None:
    spawned = process.spawn(home, "one", SLEEP, os.environ)
    before = time.monotonic()
    with pytest.raises(PlumblineError, match="isn't ready after 0 s"):
        process.wait_ready(home, "one", spawned, lambda: False, 0.2)
    assert time.monotonic() - before < 5.0
