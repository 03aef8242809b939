"""Dead letters: found, shown, sent again and given up, on the real Kafka and Postgres."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.operator import Operator
from tests.pipeline import (
    Service,
    assert_accounts,
    caught_up,
    consume_all,
    event,
    ingestion,
    produce,
    running,
    wait_for,
)
from tests.servers import Database, Topics

SOON = int(time.time()) + 1_800  # too far in the future; half an hour from now


@pytest.fixture
def service(topics: Topics, database: Database) -> Iterator[Service]:
    """An ingestion service that has refused three records: a future one of d, broken ones of e and of nobody."""
    future = event("d", 0, m=1).replace(b"1793491200", str(SOON).encode())
    produce(topics, [future, b'{"device_id": "e", "ti', b"poison"], [b"d", None, None])
    with running("ingestion_service", ingestion(topics, database, BATCH_LINGER_MS=10)) as started:
        settle(topics, database)
        yield started


def settle(topics: Topics, database: Database) -> None:
    """Everything is read, and every dead letter is published."""

    def settled() -> bool:
        if not caught_up(topics, database):
            return False
        with database.connect() as connection:
            row = connection.execute("SELECT count(*) FROM dead_letters WHERE published_at IS NULL").fetchone()
        return row == (0,)

    wait_for(settled, "settled")


def listed(operator: Operator, *arguments: str) -> list[tuple[object, ...]]:
    rows = operator.json("dlq", "list", *arguments)
    return sorted((row["device"] or "", row["code"], row["state"]) for row in rows)


def test_dead_letters_are_found_by_what_is_known_of_them(operator: Operator, service: Service) -> None:
    nobodys, ds, es = ("", "malformed", "open"), ("d", "timestamp_in_future", "open"), ("e", "malformed", "open")
    assert listed(operator) == [nobodys, ds, es]
    assert listed(operator, "--code", "timestamp_in_future") == [ds]
    assert listed(operator, "--device", "e") == [es]
    assert listed(operator, "--device", "d", "--code", "malformed") == []
    assert listed(operator, "--since", "-1h", "--until", "-30m") == []
    assert len(listed(operator, "--since", "-1h")) == 3
    assert listed(operator, "--state", "discarded") == listed(operator, "--state", "unpublished") == []
    first, second = (listed(operator, "--limit", "2", "--page", page) for page in ("1", "2"))
    assert sorted(first + second) == [nobodys, ds, es]
    assert "there are more → --page 2" in operator.run("dlq", "list", "--limit", "2").stdout


def test_one_is_shown_with_its_bytes_and_without_flooding_the_terminal(
    operator: Operator, topics: Topics, database: Database
) -> None:
    produce(topics, [b"\x1b[31m" + b"x" * 5_000])
    with running("ingestion_service", ingestion(topics, database)):
        settle(topics, database)
    (row,) = operator.json("dlq", "list")
    where = (row["topic"], str(row["partition"]), str(row["offset"]))
    shown = operator.run("dlq", "show", *where).stdout
    assert "\x1b" not in shown
    assert len(shown) < 3_000
    assert "\\x1b[31mxxx" in shown
    assert "--full" in shown
    assert "x" * 5_000 in operator.run("dlq", "show", *where, "--full").stdout
    assert operator.json("dlq", "show", *where)["value"] == "\x1b[31m" + "x" * 5_000
    missing = operator.run("dlq", "show", topics.settings.topic_readings, "0", "999")
    assert "no dead letter of" in str(missing.exception)


def test_what_is_valid_now_is_stored_and_what_is_not_is_a_further_dead_letter(
    operator: Operator, service: Service, topics: Topics, database: Database
) -> None:
    done = operator.run("dlq", "replay", "--device", "d", "--set-timestamp-shift", "-1h", "--reason", "clock")
    assert done.exit_code == 0, (done.output, done.exception)
    assert "replayed 1 dead letters" in done.stdout
    operator.json("dlq", "replay", "--code", "malformed")
    settle(topics, database)
    assert assert_accounts(database)["persisted"] == 1
    rows = operator.json("dlq", "list")
    assert sorted(row["state"] for row in rows) == ["open", "open", "replayed", "replayed", "replayed"]
    letter = next(row for row in rows if row["device"] == "d")
    shown = operator.json("dlq", "show", letter["topic"], str(letter["partition"]), str(letter["offset"]))
    (decision,) = shown["decisions"]
    assert (decision["fix"], decision["reason"], decision["attempt"]) == ("timestamp -3600s", "clock", 1)
    text = operator.run("dlq", "show", letter["topic"], str(letter["partition"]), str(letter["offset"])).stdout
    assert ": replay (attempt 1, timestamp -3600s) clock" in text
    records = consume_all(topics, topics.settings.topic_readings, 6)
    origins = [headers["plumbline.replay.of"] for _, _, headers in records if "plumbline.replay.of" in headers]
    assert sorted(origins) == sorted(
        f"{r['topic_id']}/{r['partition']}/{r['offset']}" for r in rows if r["replayed_at"]
    )
    assert {value for key, value, headers in records if "plumbline.replay.of" in headers and not key} == {
        b'{"device_id": "e", "ti', b"poison"
    }  # fmt: skip


def test_a_second_run_finds_nothing_left(operator: Operator, service: Service, topics: Topics) -> None:
    assert operator.json("dlq", "replay", "--device", "d") == {"replayed": 1, "refused": {}}
    wait_for(lambda: len(operator.json("dlq", "list")) == 4, "the replay is refused again")
    assert operator.json("dlq", "replay", "--device", "d", "--until", "-1h") == {"replayed": 0, "refused": {}}
    assert "no dead letter matches" in operator.run("dlq", "replay", "--device", "nobody").stdout


@pytest.mark.parametrize("shift", ["-1h", "+0s"])
def test_killed_between_delivery_and_mark_the_second_copy_is_a_duplicate(
    operator: Operator, service: Service, topics: Topics, database: Database, shift: str
) -> None:
    chosen = ["--device", "d", "--until", datetime.now(UTC).isoformat()]
    arguments = ["dlq", "replay", *chosen, "--set-timestamp-shift", shift]
    killed = subprocess.run(
        [sys.executable, "-c", "from ops.cli import main; main()", *arguments],
        env={**os.environ, "FAILPOINTS": "dlq.before_mark=kill"},
        check=False,
        timeout=60,
    )
    assert killed.returncode == -9
    assert operator.json(*arguments) == {"replayed": 1, "refused": {}}
    consume_all(topics, topics.settings.topic_readings, 5)  # both copies are there
    settle(topics, database)
    totals = assert_accounts(database)
    still_bad = int(shift == "+0s")
    assert totals == {"persisted": 1 - still_bad, "duplicates": 1, "conflicts": 0, "dead_letters": 3 + still_bad}


def test_attempts_have_a_cap_that_holds_over_dead_letters_of_replays(
    operator: Operator, service: Service, topics: Topics, database: Database
) -> None:
    for attempt in (1, 2):
        assert operator.json("dlq", "replay", "--device", "e", "--max-attempts", "2")["replayed"] == 1
        wait_for(lambda n=attempt: len(operator.json("dlq", "list", "--device", "e")) == n + 1, "refused again")  # type: ignore[misc]
        settle(topics, database)
    refused = operator.json("dlq", "replay", "--device", "e", "--max-attempts", "2", status=1)
    assert refused == {"replayed": 0, "refused": {"it was replayed 2 times (--max-attempts)": 1}}
    assert operator.json("dlq", "replay", "--device", "e", "--max-attempts", "3", "--dry-run")["would_replay"] == 1
    assert assert_accounts(database)["dead_letters"] == 5


def test_another_device_may_be_set_and_what_cannot_be_mended_is_refused(
    operator: Operator, service: Service, topics: Topics, database: Database
) -> None:
    fix = ("--set-device", "other", "--set-timestamp-shift", "-1h")
    done = operator.run("dlq", "replay", "--all", *fix)
    assert done.exit_code == 1
    assert "refused 2: the value is not one JSON document" in done.stdout
    wait_for(lambda: assert_accounts(database)["persisted"] == 1, "stored")
    with database.connect() as connection:
        assert connection.execute("SELECT device_id FROM readings").fetchall() == [("other",)]


def test_two_operators_do_not_replay_at_once(operator: Operator, service: Service, database: Database) -> None:
    with database.connect() as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('plumbline.dlq'))")
        refused = operator.run("dlq", "replay", "--all")
        assert "somebody else replays or discards" in str(refused.exception)
    assert operator.json("dlq", "replay", "--all", "--dry-run")["would_replay"] == 3


def test_given_up_ones_are_marked_and_left_out_but_can_be_sent_again(operator: Operator, service: Service) -> None:
    assert operator.run("dlq", "discard", "--code", "malformed", "--reason", "noise", typed="n\n").exit_code == 1
    assert operator.json("dlq", "discard", "--code", "malformed", "--reason", "noise", "--yes")["discarded"] == 2
    assert [state for _, _, state in listed(operator)] == ["discarded", "open", "discarded"]
    assert operator.json("dlq", "replay", "--code", "malformed") == {"replayed": 0, "refused": {}}
    assert operator.json("dlq", "replay", "--code", "malformed", "--again", "--dry-run")["would_replay"] == 2
    (row, *_) = operator.json("dlq", "list", "--state", "discarded")
    shown = operator.json("dlq", "show", row["topic"], str(row["partition"]), str(row["offset"]))
    assert [(each["action"], each["reason"]) for each in shown["decisions"]] == [("discard", "noise")]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["replay"], 2, "narrow it down"),
        (["discard", "--reason", "x", "--yes"], 2, "narrow it down"),
        (["discard", "--all", "--reason", " ", "--yes"], 2, "say why"),
        (["list", "--since", "yesterday"], 1, "is no time"),
        (["replay", "--all", "--set-timestamp-shift", "1"], 1, "is no duration"),
        (["replay", "--all", "--set-device", " a"], 2, "space around"),
        (["list", "--state", "lost"], 2, "lost"),
    ],
)
def test_nonsense_is_refused_with_what_to_do(operator: Operator, arguments: list[str], status: int, said: str) -> None:
    done = operator.run("dlq", *arguments)
    assert done.exit_code == status
    assert said in done.output + str(done.exception)
