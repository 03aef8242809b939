"""A backfill that is killed, interrupted or met by others goes on, and ends in the same state."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local import environment
from ops.backfill.work import Asked
from shared.errors import PlumblineError
from tests.aggregated import DAY, DAY_S, fingerprint, from_scratch, put_now, rows, run, verified
from tests.integration.ops.rebuilt import ALL, backfill, corrupt
from tests.pipeline import running, wait_for
from tests.servers import Database


@contextmanager
def process(database: Database, home: Path, *arguments: str, failpoints: str = "") -> Iterator[subprocess.Popen[str]]:
    """`plumbline backfill` of all, on its own."""
    environment.write(home, dict(database.environment()))
    command = [
        sys.executable,
        "-c",
        "from ops.cli import main; main()",
        "backfill",
        "--from",
        ALL.since,
        "--to",
        ALL.until,
        "--yes",
        *arguments,
    ]
    with subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PLUMBLINE_HOME": str(home), "FAILPOINTS": failpoints},
    ) as started:  # fmt: skip
        try:
            yield started
        finally:
            started.kill()


@pytest.mark.parametrize("spot", ["before_write=kill@2", "before_commit=kill@4", "after_commit=kill@1"])
def test_killed_in_the_middle_the_same_command_goes_on(rolled: Database, tmp_path: Path, spot: str) -> None:
    state = fingerprint(rolled, before=DAY + DAY_S)
    corrupt(rolled, "UPDATE stats SET sum = sum + 1, count = count + 1")
    with process(rolled, tmp_path, failpoints=f"backfill.{spot}") as killed:
        assert killed.wait(60) == -signal.SIGKILL
    [(compared, changed)] = rows(rolled, "SELECT compared, changed FROM backfills WHERE finished_at IS NULL")
    assert 0 < compared == changed  # some of the days that have events
    told: list[str] = []
    done = backfill(rolled, agreed=told.append)
    assert told[0].startswith(f"go on with backfill {done['id']}, begun at ")
    [(stored,)] = rows(rolled, "SELECT count(*) FROM stats")
    assert done["compared"] == done["changed"] == stored  # none twice
    assert fingerprint(rolled, before=DAY + DAY_S) == state


def test_interrupted_it_says_how_it_goes_on(rolled: Database, tmp_path: Path) -> None:
    with process(rolled, tmp_path, failpoints="backfill.before_commit=stop@2") as ended:
        wait_for(lambda: os.waitpid(ended.pid, os.WNOHANG | os.WUNTRACED)[0] != 0, "it stands still")
        ended.send_signal(signal.SIGINT)
        ended.send_signal(signal.SIGCONT)
        _, told = ended.communicate(timeout=30)
    assert ended.returncode == 130
    assert "stopped → the same command goes on" in told
    assert backfill(rolled)["id"] == 1


def test_two_at_once_do_not_do_the_same(rolled: Database, tmp_path: Path) -> None:
    with process(rolled, tmp_path, failpoints="backfill.before_commit=stop@2") as first:
        wait_for(lambda: os.waitpid(first.pid, os.WNOHANG | os.WUNTRACED)[0] != 0, "it stands still")
        with pytest.raises(PlumblineError, match=r"another process works at backfill 1 →"):
            backfill(rolled)


def test_while_the_aggregator_works_in_late_data(rolled: Database) -> None:
    corrupt(rolled, "UPDATE stats SET sum = sum + 1, count = count + 1 WHERE device <= 4")
    service: Mapping[str, str] = {
        **rolled.environment("aggregation"), "AGGREGATION_INTERVAL_SECONDS": "0.1",
        "AGGREGATION_CHUNK_READINGS": "1000",
    }  # fmt: skip
    stop = threading.Event()

    def late() -> None:
        for number in range(10_000):
            second = DAY + 100 + number % 3_900 + 0.001 * (1 + number // 3_900)
            put_now(rolled, [(f"dev-{number % 6}", second, {"a": number / 3, "b": 1.0})])
            if stop.wait(0.005):
                return

    thread = threading.Thread(target=late)
    thread.start()
    try:
        with running("aggregation_service", service) as aggregator:
            for attempt in range(3):
                backfill(rolled, Asked(str(DAY - 40 * DAY_S), str(DAY + DAY_S + attempt)))
            assert aggregator.status is None, aggregator.output()
    finally:
        stop.set()
        thread.join(30)
    run(rolled)
    backfill(rolled)  # what waited for late events then doesn't now
    assert rows(rolled, "SELECT count(*) FROM dirty") == [(0,)]
    verified(rolled)
    state = fingerprint(rolled, before=DAY + DAY_S)
    from_scratch(rolled)
    assert fingerprint(rolled, before=DAY + DAY_S) == state
