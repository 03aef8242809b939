"""Stored statistics are made again from raw events, on the real Postgres, while everything else goes on."""

from pathlib import Path

import pytest

from aggregation_service import statistics_store
from deploy.local import environment
from ops.backfill.work import Asked
from ops.verify.commands import Asked as Looked
from ops.verify.commands import run as verify
from shared.errors import PlumblineError, Unavailable
from tests.aggregated import DAY, DAY_S, fingerprint, put_now, rows, run, verified
from tests.integration.ops.rebuilt import ALL, backfill, corrupt
from tests.operator import Operator
from tests.pipeline import wait_for
from tests.servers import Database


def revisions(database: Database) -> dict[int, int]:
    return dict(rows(database, "SELECT device, revision FROM device_revisions"))


def test_what_is_right_is_read_and_not_written(rolled: Database) -> None:
    before = rows(rolled, "SELECT tableoid, ctid, xmin::text FROM stats")
    revised = revisions(rolled)
    done = backfill(rolled)
    assert (done["changed"], done["waiting"], done["kept"]) == (0, 0, 0)
    assert done["compared"] == len(before)
    assert done["finished_at"] is not None
    assert rows(rolled, "SELECT tableoid, ctid, xmin::text FROM stats") == before
    assert revisions(rolled) == revised


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
def test_what_was_spoilt_is_found_by_verify_and_mended(rolled: Database, change: str) -> None:
    state = fingerprint(rolled, before=DAY + DAY_S)
    corrupt(rolled, change)
    everything = Looked(sample=1_000_000, seed=1)
    found = verify(rolled.environment(), everything)
    assert not found["ok"]
    done = backfill(rolled, mending(found["mend"]))
    assert done["changed"] > 0
    assert fingerprint(rolled, before=DAY + DAY_S) == state
    assert verify(rolled.environment(), everything)["ok"]


def mending(command: str) -> Asked:
    """What the command says that verify names."""
    words = command.split()
    assert words[:2] == ["plumbline", "backfill"]

    def after(name: str) -> list[str]:
        return [words[at + 1] for at, word in enumerate(words) if word == name]

    level = next(iter(after("--level")), None)
    return Asked(after("--from")[0], after("--to")[0], level, tuple(after("--device")), "--fleet" in words)


def test_how_many_came_late_stays_known(rolled: Database) -> None:
    late = "SELECT level, device, metric, bucket, late FROM stats WHERE late > 0 ORDER BY 1, 2, 3, 4"
    before = rows(rolled, late)
    assert before
    corrupt(rolled, "UPDATE stats SET sum = sum + 1")
    backfill(rolled)
    assert rows(rolled, late) == before


def test_devices_whose_rows_change_have_a_new_revision_and_the_fleets_rows_are_stale(rolled: Database) -> None:
    wait_for_fleet(rolled)
    corrupt(rolled, "UPDATE stats SET sum = sum + 1 WHERE device = 3 AND level = 3600 AND metric = 1")
    before = revisions(rolled)
    backfill(rolled)
    after = revisions(rolled)
    assert {device for device in after if after[device] != before.get(device)} == {3}
    stale = rows(rolled, "SELECT DISTINCT level, metric FROM fleet_stale")
    assert stale == [(3_600, 1)]


def test_without_the_bookkeeping_the_test_above_fails(rolled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the test: a backfill that writes rows and tells nobody."""
    monkeypatch.setattr(statistics_store, "_REVISE", "SELECT %s::int4[]")
    monkeypatch.setattr(statistics_store, "_FLEET_STALE", "SELECT %s::int4[], %s::int4[], %s::int8[]")
    with pytest.raises(AssertionError):
        test_devices_whose_rows_change_have_a_new_revision_and_the_fleets_rows_are_stale(rolled)


def test_rows_across_devices_are_mended(rolled: Database) -> None:
    wait_for_fleet(rolled)
    corrupt(rolled, "UPDATE fleet_stats SET max = max + 1 WHERE level = 3600")
    found = verify(rolled.environment(), Looked(days=60))
    assert {difference["device_id"] for difference in found["differences"]} == {None}
    done = backfill(rolled, mending(found["mend"]))
    assert done["changed"] == 0
    wait_for_fleet(rolled)
    assert verify(rolled.environment(), Looked(days=60))["ok"]


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


def test_rows_whose_raw_events_are_gone_are_kept_and_counted(rolled: Database) -> None:
    old = "SELECT * FROM stats WHERE bucket < (SELECT max(bucket) FROM stats) - interval '9 days' ORDER BY 1, 2, 3, 4"
    before = rows(rolled, old)
    corrupt(rolled, "DELETE FROM events WHERE ts < (SELECT max(ts) FROM events) - interval '9 days'")
    done = backfill(rolled)
    assert done["kept"] == len(before) > 0
    assert rows(rolled, old) == before


def test_rows_that_late_events_wait_for_are_left_to_the_aggregator(rolled: Database) -> None:
    put_now(rolled, [("dev-0", DAY + 200.5, {"a": 7.0})])
    done = backfill(rolled)
    assert (done["changed"], done["waiting"]) == (0, 2 * 3)  # both metrics of the bucket, at each level
    assert rows(rolled, "SELECT count(*) FROM dirty") == [(1,)]
    run(rolled)
    verified(rolled)


def test_one_level_of_one_device_is_made_again_and_no_more(rolled: Database) -> None:
    corrupt(rolled, "UPDATE stats SET max = max + 1")
    backfill(rolled, Asked(str(DAY), str(DAY + DAY_S), "1h", ("dev-2",)))
    found = verify(rolled.environment(), Looked(days=60))["differences"]
    wrong = [difference for difference in found if difference["device_id"] is not None]
    right = {("1h", "dev-2", DAY + hour * 3_600) for hour in (0, 1)}
    assert not right & {(each["level"], each["device_id"], each["start"].timestamp()) for each in wrong}
    [(stored,)] = rows(rolled, "SELECT count(*) FROM stats")
    assert len(wrong) == stored - 2 * 2


def test_a_time_of_now_goes_on_to_now(rolled: Database) -> None:
    """A command with times that move on with the clock: what was begun is finished as far as is asked for now."""
    asked = Asked("-50d", "-1s")

    def refused(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill(rolled, asked, refused)
    assert rows(rolled, "SELECT count(*) FROM backfills") == [(0,)]
    first = backfill(rolled, asked)
    corrupt(rolled, "UPDATE backfills SET finished_at = NULL, to_time = to_time - interval '1 hour'")
    again = backfill(rolled, asked)
    assert again["id"] == first["id"]
    assert again["from"] == first["from"]
    assert again["to"] >= first["to"]


def test_the_command_asks_and_tells(operator: Operator, rolled: Database) -> None:
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
    operator: Operator, rolled: Database, arguments: list[str], status: int, words: str
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
