"""Stored statistics are made again from raw events, on the real Postgres, while everything else goes on."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aggregation_service import statistics_store
from deploy.local import environment
from ops.backfill import work
from ops.backfill.work import Asked
from ops.verify.commands import Asked as Looked
from ops.verify.commands import run as verify
from shared.errors import PlumblineError, Unavailable
from tests.aggregated import DAY, DAY_S, fingerprint, from_scratch, put_now, rows, run, steady, verified
from tests.operator import Operator
from tests.pipeline import running, wait_for
from tests.servers import Database

ALL = Asked(str(DAY - 40 * DAY_S), str(DAY + DAY_S))


def backfill(database: Database, asked: Asked = ALL, agreed: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    return work.run(database.environment(), asked, agreed)


def revisions(database: Database) -> dict[int, int]:
    return dict(rows(database, "SELECT device, revision FROM device_revisions"))


@pytest.fixture
def aggregated(database: Database) -> Database:
    """Four devices on two days a month apart, with late data worked in; all of it stored."""
    for day in (DAY, DAY - 30 * DAY_S):
        put_now(database, steady(4, range(100, 4_000, 5), day=day))
    run(database)
    put_now(database, [("dev-1", DAY + 65.5, {"a": 1e6}), ("dev-2", DAY + 66.5, {"b": -1e6})])
    run(database)
    verified(database)
    return database


def corrupt(database: Database, change: str) -> None:
    with database.connect() as connection:
        assert connection.execute(change.encode()).rowcount


def test_what_is_right_is_read_and_not_written(aggregated: Database) -> None:
    before = rows(aggregated, "SELECT tableoid, ctid, xmin::text FROM stats")
    revised = revisions(aggregated)
    done = backfill(aggregated)
    assert (done["changed"], done["waiting"], done["kept"]) == (0, 0, 0)
    assert done["compared"] == len(before)
    assert done["finished_at"] is not None
    assert rows(aggregated, "SELECT tableoid, ctid, xmin::text FROM stats") == before
    assert revisions(aggregated) == revised


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE stats SET count = count + 1, min = min - 1 WHERE level = 60 AND device = 2",
        "UPDATE stats SET sum = 0, sum_error = 0, deviation = 5, rank_error = 0.1 WHERE level = 3600",
        "UPDATE stats SET summary = substr(summary, 9) || substr(summary, 1, 8) WHERE device = 1 AND level = 86400",
        "DELETE FROM stats WHERE device = 3",
        "DELETE FROM stats",
    ],
)
def test_what_was_spoilt_is_found_by_verify_and_mended(aggregated: Database, change: str) -> None:
    state = fingerprint(aggregated, before=DAY + DAY_S)
    corrupt(aggregated, change)
    everything = Looked(sample=1_000_000, seed=1)
    found = verify(aggregated.environment(), everything)
    assert not found["ok"]
    done = backfill(aggregated, mending(found["mend"]))
    assert done["changed"] > 0
    assert fingerprint(aggregated, before=DAY + DAY_S) == state
    assert verify(aggregated.environment(), everything)["ok"]


def mending(command: str) -> Asked:
    """What the command says that verify names."""
    words = command.split()
    assert words[:2] == ["plumbline", "backfill"]

    def after(name: str) -> list[str]:
        return [words[at + 1] for at, word in enumerate(words) if word == name]

    level = next(iter(after("--level")), None)
    return Asked(after("--from")[0], after("--to")[0], level, tuple(after("--device")), "--fleet" in words)


def test_how_many_came_late_stays_known(aggregated: Database) -> None:
    late = "SELECT level, device, metric, bucket, late FROM stats WHERE late > 0 ORDER BY 1, 2, 3, 4"
    before = rows(aggregated, late)
    assert before
    corrupt(aggregated, "UPDATE stats SET sum = sum + 1")
    backfill(aggregated)
    assert rows(aggregated, late) == before


def test_devices_whose_rows_change_have_a_new_revision_and_the_fleets_rows_are_stale(aggregated: Database) -> None:
    wait_for_fleet(aggregated)
    corrupt(aggregated, "UPDATE stats SET sum = sum + 1 WHERE device = 3 AND level = 3600 AND metric = 1")
    before = revisions(aggregated)
    backfill(aggregated)
    after = revisions(aggregated)
    assert {device for device in after if after[device] != before.get(device)} == {3}
    stale = rows(aggregated, "SELECT DISTINCT level, metric FROM fleet_stale")
    assert stale == [(3_600, 1)]


def test_without_the_bookkeeping_the_test_above_fails(aggregated: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the test: a backfill that writes rows and tells nobody."""
    monkeypatch.setattr(statistics_store, "_REVISE", "SELECT %s::int4[]")
    monkeypatch.setattr(statistics_store, "_FLEET_STALE", "SELECT %s::int4[], %s::int4[], %s::int8[]")
    with pytest.raises(AssertionError):
        test_devices_whose_rows_change_have_a_new_revision_and_the_fleets_rows_are_stale(aggregated)


def test_rows_across_devices_are_mended(aggregated: Database) -> None:
    wait_for_fleet(aggregated)
    corrupt(aggregated, "UPDATE fleet_stats SET max = max + 1 WHERE level = 3600")
    found = verify(aggregated.environment(), Looked(days=60))
    assert {difference["device_id"] for difference in found["differences"]} == {None}
    done = backfill(aggregated, mending(found["mend"]))
    assert done["changed"] == 0
    wait_for_fleet(aggregated)
    assert verify(aggregated.environment(), Looked(days=60))["ok"]


def wait_for_fleet(database: Database) -> None:
    """Runs until the rows across devices are complete."""

    def complete() -> bool:
        run(database)
        return rows(
            database,
            "SELECT count(*) FILTER (WHERE isfinite(since)), (SELECT count(*) FROM fleet_stale),"
            " count(*) FROM fleet_until JOIN materialized USING (level) WHERE fleet_until.until = materialized.until",
        ) == [(0, 0, 3)]

    wait_for(complete, "rows across devices")


def test_rows_whose_raw_events_are_gone_are_kept_and_counted(aggregated: Database) -> None:
    old = "SELECT * FROM stats WHERE bucket < (SELECT max(bucket) FROM stats) - interval '9 days' ORDER BY 1, 2, 3, 4"
    before = rows(aggregated, old)
    corrupt(aggregated, "DELETE FROM events WHERE ts < (SELECT max(ts) FROM events) - interval '9 days'")
    done = backfill(aggregated)
    assert done["kept"] == len(before) > 0
    assert rows(aggregated, old) == before


def test_rows_that_late_events_wait_for_are_left_to_the_aggregator(aggregated: Database) -> None:
    put_now(aggregated, [("dev-0", DAY + 200.5, {"a": 7.0})])
    done = backfill(aggregated)
    assert (done["changed"], done["waiting"]) == (0, 2 * 3)  # both metrics of the bucket, at each level
    assert rows(aggregated, "SELECT count(*) FROM dirty") == [(1,)]
    run(aggregated)
    verified(aggregated)


def test_one_level_of_one_device_is_made_again_and_no_more(aggregated: Database) -> None:
    corrupt(aggregated, "UPDATE stats SET max = max + 1")
    backfill(aggregated, Asked(str(DAY), str(DAY + DAY_S), "1h", ("dev-2",)))
    found = verify(aggregated.environment(), Looked(days=60))["differences"]
    wrong = [difference for difference in found if difference["device_id"] is not None]
    right = {("1h", "dev-2", DAY + hour * 3_600) for hour in (0, 1)}
    assert not right & {(each["level"], each["device_id"], each["start"].timestamp()) for each in wrong}
    [(stored,)] = rows(aggregated, "SELECT count(*) FROM stats")
    assert len(wrong) == stored - 2 * 2


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
def test_killed_in_the_middle_the_same_command_goes_on(aggregated: Database, tmp_path: Path, spot: str) -> None:
    state = fingerprint(aggregated, before=DAY + DAY_S)
    corrupt(aggregated, "UPDATE stats SET sum = sum + 1, count = count + 1")
    with process(aggregated, tmp_path, failpoints=f"backfill.{spot}") as killed:
        assert killed.wait(60) == -signal.SIGKILL
    [(compared, changed)] = rows(aggregated, "SELECT compared, changed FROM backfills WHERE finished_at IS NULL")
    assert 0 < compared == changed  # some of the days that have events
    told: list[str] = []
    done = backfill(aggregated, agreed=told.append)
    assert told[0].startswith(f"go on with backfill {done['id']}, begun at ")
    [(stored,)] = rows(aggregated, "SELECT count(*) FROM stats")
    assert done["compared"] == done["changed"] == stored  # none twice
    assert fingerprint(aggregated, before=DAY + DAY_S) == state


def test_interrupted_it_says_how_it_goes_on(aggregated: Database, tmp_path: Path) -> None:
    with process(aggregated, tmp_path, failpoints="backfill.before_commit=stop@2") as ended:
        wait_for(lambda: os.waitpid(ended.pid, os.WNOHANG | os.WUNTRACED)[0] != 0, "it stands still")
        ended.send_signal(signal.SIGINT)
        ended.send_signal(signal.SIGCONT)
        _, told = ended.communicate(timeout=30)
    assert ended.returncode == 130
    assert "stopped → the same command goes on" in told
    assert backfill(aggregated)["id"] == 1


def test_two_at_once_do_not_do_the_same(aggregated: Database, tmp_path: Path) -> None:
    with process(aggregated, tmp_path, failpoints="backfill.before_commit=stop@2") as first:
        wait_for(lambda: os.waitpid(first.pid, os.WNOHANG | os.WUNTRACED)[0] != 0, "it stands still")
        with pytest.raises(PlumblineError, match=r"another process works at backfill 1 →"):
            backfill(aggregated)


def test_while_the_aggregator_works_in_late_data(aggregated: Database) -> None:
    corrupt(aggregated, "UPDATE stats SET sum = sum + 1, count = count + 1 WHERE device <= 4")
    service: Mapping[str, str] = {
        **aggregated.environment("aggregation"), "AGGREGATION_INTERVAL_SECONDS": "0.1",
        "AGGREGATION_CHUNK_READINGS": "1000",
    }  # fmt: skip
    stop = threading.Event()

    def late() -> None:
        for number in range(10_000):
            second = DAY + 100 + number % 3_900 + 0.001 * (1 + number // 3_900)
            put_now(aggregated, [(f"dev-{number % 6}", second, {"a": number / 3, "b": 1.0})])
            if stop.wait(0.005):
                return

    thread = threading.Thread(target=late)
    thread.start()
    try:
        with running("aggregation_service", service) as aggregator:
            for attempt in range(3):
                backfill(aggregated, Asked(str(DAY - 40 * DAY_S), str(DAY + DAY_S + attempt)))
            assert aggregator.status is None, aggregator.output()
    finally:
        stop.set()
        thread.join(30)
    run(aggregated)
    backfill(aggregated)  # what waited for late events then doesn't now
    assert rows(aggregated, "SELECT count(*) FROM dirty") == [(0,)]
    verified(aggregated)
    state = fingerprint(aggregated, before=DAY + DAY_S)
    from_scratch(aggregated)
    assert fingerprint(aggregated, before=DAY + DAY_S) == state


def test_a_time_of_now_goes_on_to_now(aggregated: Database) -> None:
    """A command with times that move on with the clock: what was begun is finished as far as is asked for now."""
    asked = Asked("-50d", "-1s")

    def refused(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill(aggregated, asked, refused)
    assert rows(aggregated, "SELECT count(*) FROM backfills") == [(0,)]
    first = backfill(aggregated, asked)
    corrupt(aggregated, "UPDATE backfills SET finished_at = NULL, to_time = to_time - interval '1 hour'")
    again = backfill(aggregated, asked)
    assert again["id"] == first["id"]
    assert again["from"] == first["from"]
    assert again["to"] >= first["to"]


def test_the_command_asks_and_tells(operator: Operator, aggregated: Database) -> None:
    arguments = ("backfill", "--from", ALL.since, "--to", ALL.until)
    asked = operator.run(*arguments, typed="n\n")
    assert (asked.exit_code, "make again 1m, 1h, 1d of all devices from " in asked.output) == (1, True)
    done = operator.run(*arguments, "--level", "1h", "--device", "dev-1", "--yes")
    assert done.exit_code == 0, done.output
    assert "0 differed" in done.stdout
    (row,) = operator.json("backfill", "--list")
    assert (row["levels"], row["devices"], row["finished_at"] is not None) == (["1h"], ["dev-1"], True)
    assert "finished" in operator.run("backfill", "--list").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "say from when to when"),
        (["--from", "yesterday", "--to", "-1h"], 1, "'yesterday' is no time →"),
        (["--from", "-1h", "--to", "-2h"], 1, "isn't before"),
        (["--from", "-2h", "--to", "-1h", "--level", "15m"], 1, "the level 15m isn't stored → choose from 1m, 1h, 1d"),
        (["--from", "-2h", "--to", "-1h", "--level", "7m"], 1, "--level 7m: "),
        (["--from", "-2h", "--to", "-1h", "--device", "nobody"], 1, "there is no device nobody →"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    operator: Operator, aggregated: Database, arguments: list[str], status: int, words: str
) -> None:
    done = operator.run("backfill", *arguments, "--yes")
    if status == 2:
        assert (done.exit_code, words in done.output) == (2, True)
    else:
        assert isinstance(done.exception, PlumblineError)
        assert words in str(done.exception)


@pytest.mark.parametrize("command", [("verify",), ("backfill", "--from", "-2h", "--to", "-1h", "--yes")])
def test_a_database_that_is_away_is_said_so(
    operator: Operator, database: Database, tmp_path: Path, command: tuple[str, ...]
) -> None:
    environment.write(tmp_path, {**database.environment(), "DB_PORT": "1"})
    done = operator.run(*command)
    assert isinstance(done.exception, Unavailable)
    assert "Postgres at 127.0.0.1:1/" in str(done.exception)
