"""The embedded stack as a user drives it: `plumbline up`, `status`, `down`, in processes of their own."""

import json
import os
import random
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from deploy.local import environment, monitoring, ports, postgres, process, stack
from ops import api

SERVERS = "kafka,postgres"
Plumbline = Callable[..., subprocess.CompletedProcess[str]]


def plumbline(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), env=env(home), capture_output=True, text=True, check=False, timeout=120)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from ops.cli import main; main()", *arguments]


def env(home: Path) -> dict[str, str]:
    return {**os.environ, "PLUMBLINE_HOME": str(home)}


def up(home: Path, only: str | None = SERVERS) -> dict[str, Any]:
    part = ("--only", only) if only else ()
    done = plumbline(home, "up", *part, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def pids(home: Path) -> dict[str, int]:
    shown = json.loads(plumbline(home, "status", "--json").stdout)
    return {part["name"]: part["pid"] for part in shown["parts"] if part["state"] == "running"}


def leftovers(home: Path) -> list[psutil.Process]:
    return [each for processes in process.find(home).values() for each in processes] + postgres.backends(
        postgres.data_folder(home)
    )


@pytest.fixture
def make_home(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Homes whose stacks wish for ports of their own; whatever still runs is removed with its data."""
    made = []

    def make(name: str) -> Path:
        home = (tmp_path / name).resolve()
        first = random.randrange(20_000, 30_000)
        wished = {name: first + number for number, name in enumerate(ports.DEFAULTS)}
        environment.write(home, environment.addresses(wished))
        made.append(home)
        return home

    yield make
    for home in made:
        stack.reset(home, say=lambda _: None)


def test_up_reuse_kill_and_down(make_home: Callable[[str], Path]) -> None:
    home = make_home("one")
    assert up(home)["started"] == ["kafka", "postgres"]
    first, before = pids(home), environment.read(home)

    assert up(home) == {"home": str(home), "started": [], "reused": ["kafka", "postgres"]}
    assert pids(home) == first

    for name in ("postgres", "kafka"):
        os.kill(first[name], signal.SIGKILL)
        assert plumbline(home, "doctor").returncode == 1
        assert up(home)["started"] == [name]
    assert environment.read(home) == before, "a server that was killed comes back on its port"
    assert set(pids(home)) == {"kafka", "postgres"}

    with psycopg.connect(environment.conninfo(before), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    assert plumbline(home, "down").returncode == 0
    assert leftovers(home) == []
    assert plumbline(home, "status").returncode == 1

    up(home, "postgres")
    with psycopg.connect(environment.conninfo(before)) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (42,)
    assert plumbline(home, "reset", "--yes").returncode == 0
    assert leftovers(home) == []
    assert not home.exists()


def test_two_stacks_run_side_by_side_though_they_wish_for_the_same_ports(make_home: Callable[[str], Path]) -> None:
    one, other = make_home("one"), make_home("other")
    environment.write(other, environment.read(one))
    starts = [
        subprocess.Popen(command("up", "--only", "postgres"), env=env(home), stdout=subprocess.PIPE, text=True)
        for home in (one, other)
    ]
    said = [start.communicate(timeout=120)[0] for start in starts]
    assert [start.returncode for start in starts] == [0, 0]
    assert sum("is taken: postgres uses" in text for text in said) == 1
    assert len({environment.read(home)["DB_PORT"] for home in (one, other)}) == 2
    assert plumbline(one, "down").returncode == 0
    assert set(pids(other)) == {"postgres"}


def test_the_whole_stack_runs_and_a_killed_service_comes_back_on_its_port(make_home: Callable[[str], Path]) -> None:
    home = make_home("one")
    expected = [part for part in stack.DEFAULT_PARTS if part not in monitoring.missing()]
    assert up(home, None)["started"] == expected
    before, values = pids(home), environment.read(home)
    assert sorted(before) == sorted(expected)
    token = plumbline(home, "token", "--scope", "read:stats").stdout.strip()
    assert api.get(values, token, "/devices")["rows"] == []

    os.kill(before["api"], signal.SIGKILL)
    doctor = plumbline(home, "doctor", "--json")
    broken = [finding for finding in json.loads(doctor.stdout) if finding["state"] == "broken"]
    assert doctor.returncode == 1
    assert [(finding["name"], finding["mend"]) for finding in broken] == [("api", "plumbline up --only api")]
    assert up(home, None)["started"] == ["api"]
    assert {name: pid for name, pid in pids(home).items() if name != "api"} == {
        name: pid for name, pid in before.items() if name != "api"
    }
    assert api.get(values, token, "/devices")["rows"] == [], "the same address, and the token is still good"
    if not monitoring.missing():
        services = {"ingestion", "aggregation", "api"}
        assert process.until(lambda: targets(values) == dict.fromkeys({*services, "node", "prometheus"}, "up"), 60)
    assert plumbline(home, "reconcile").returncode == 0
    assert plumbline(home, "verify").returncode == 0
    assert plumbline(home, "down").returncode == 0
    assert leftovers(home) == []


def test_an_api_comes_up_without_kafka_and_status_says_that_it_lacks_it(make_home: Callable[[str], Path]) -> None:
    home = make_home("one")
    assert up(home, "postgres,api")["started"] == ["postgres", "api"]
    shown = plumbline(home, "status", "--json")
    [found] = [part for part in json.loads(shown.stdout)["parts"] if part["name"] == "api"]
    assert (found["state"], found["problem"].partition(":")[0]) == ("not ready", "kafka")
    assert shown.returncode == 1
    assert environment.read(home)["RECEIPT_KEY"]


def targets(values: Mapping[str, str]) -> dict[str, str]:
    """What Prometheus scrapes, by service or job, and how that goes: a simulator that was never started is none."""
    with urllib.request.urlopen(f"{values['PROMETHEUS_URL']}/api/v1/targets", timeout=5) as answer:  # noqa: S310
        found = json.load(answer)["data"]["activeTargets"]
    return {each["labels"].get("service", each["labels"]["job"]): each["health"] for each in found}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_stops_what_it_started(make_home: Callable[[str], Path], number: int) -> None:
    home = make_home("one")
    start = subprocess.Popen(command("up", "--only", SERVERS), env=env(home), stderr=subprocess.PIPE, text=True)
    assert process.until(lambda: "kafka" in process.find(home), 30)
    start.send_signal(number)
    message = start.communicate(timeout=60)[1]
    assert start.returncode not in (0, -number), "it ends by its own decision, after the clean-up"
    assert "Traceback" not in message
    assert leftovers(home) == []


def test_down_finds_everything_after_up_was_killed(make_home: Callable[[str], Path]) -> None:
    home = make_home("one")
    start = subprocess.Popen(command("up", "--only", SERVERS), env=env(home), stdout=subprocess.DEVNULL)
    assert process.until(lambda: {"kafka", "postgres"} <= set(process.find(home)), 30)
    start.kill()
    start.wait(timeout=10)
    assert plumbline(home, "down").returncode == 0
    assert leftovers(home) == []


def test_a_server_that_cannot_start_is_one_message_with_its_log(make_home: Callable[[str], Path]) -> None:
    home = make_home("one")
    up(home, "postgres")
    plumbline(home, "down")
    data = postgres.data_folder(home)
    assert data is not None
    (data / "postgresql.conf").write_text("shared_buffers = 'lots'\n")
    failed = plumbline(home, "up", "--only", "postgres")
    assert failed.returncode == 1
    assert "postgres ended while it was starting" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert leftovers(home) == []


def test_a_database_whose_password_is_lost_is_one_message(make_home: Callable[[str], Path]) -> None:
    home = make_home("lost")
    up(home, "postgres")
    assert plumbline(home, "down").returncode == 0
    kept = (home / "stack.env").rename(home / "kept.env")
    done = plumbline(home, "up", "--only", "postgres")
    assert done.returncode == 1
    assert "no stack.env, which held its password → restore it, or `plumbline reset`" in done.stderr
    kept.rename(home / "stack.env")
    up(home, "postgres")
