"""A topic is made again with fewer partitions: those that are gone are closed for good, once what they left is told."""

import json

import pytest

from ops.offsets import retire
from shared.topics import ack_topic
from tests.integration.ops.remade import recreate
from tests.operator import Operator
from tests.pipeline import assert_accounts, caught_up, consume_whole, event, ingestion, produce, running, wait_for
from tests.servers import Database, Topics

RETIRE = ("offsets", "retire", "--partition", "1", "--reason", "made smaller", "--yes")


def load(topics: Topics, begin: int) -> None:
    """20 events and a dead letter in each of two partitions (a is of 1, d of 0); all in the only one."""
    keys = [b"a", b"d"] * 20
    values = [event(key.decode(), begin + i, m=i) for i, key in enumerate(keys)]
    produce(topics, [*values, b"poison of a", b"poison of d"], [*keys, b"a", b"d"])


def killed_before_it_told(topics: Topics, database: Database) -> None:
    """What a service committed of partition 1 is left to be told."""
    produce(topics, [*[event("a", i, m=i) for i in range(20)], b"poison of a"], [b"a"] * 21)
    with running("ingestion_service", ingestion(topics, database), {"FAILPOINTS": "relay.before_publish=kill"}) as old:
        old.wait()


def states(operator: Operator, status: int) -> list[tuple[int, str]]:
    return [(row["partition"], row["state"]) for row in operator.json("offsets", status=status)]


def test_a_partition_that_is_gone_is_closed_and_still_adds_up(
    operator: Operator, topics: Topics, database: Database
) -> None:
    load(topics, 0)
    with running("ingestion_service", ingestion(topics, database, BATCH_LINGER_MS=10)):
        wait_for(lambda: caught_up(topics, database), "caught up")
        recreate(topics, 1)
        load(topics, 100)
        assert states(operator, 1) == [(0, "topic_recreated"), (1, "topic_gone")]
        refused = operator.run("offsets", "retire", "--partition", "0", "--reason", "x", "--yes")
        assert refused.exit_code == 1
        assert "it can't be retired" in str(refused.exception)
        operator.json("offsets", "restart", "--partition", "0", "--reason", "made smaller", "--yes")
        planned = operator.json(*RETIRE, "--dry-run")
        assert [each["decision"] for each in planned] == [None]
        (done,) = operator.json(*RETIRE)
        assert (done["unpublished_acks"], done["unpublished_dead_letters"]) == (0, 0)
        wait_for(lambda: caught_up(topics, database), "caught up with the new topic")
    assert states(operator, 0) == [(0, "ok")]
    newest = operator.json("offsets", "log")[0]
    assert (newest["action"], newest["partition"], newest["new_offset"]) == ("retire", 1, None)
    assert "nowhere" in operator.run("offsets", "log").stdout
    assert assert_accounts(database) == {"persisted": 80, "duplicates": 0, "conflicts": 0, "dead_letters": 4}
    assert operator.json("reconcile")["ok"]
    assert operator.json("trace", "1:3", status=1)["ingestion"]["state"] == "unknown"


def test_what_it_left_is_told_by_a_service_that_runs_or_it_stays(
    operator: Operator, topics: Topics, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retire, "PATIENCE_S", 0.5)
    killed_before_it_told(topics, database)
    recreate(topics, 1)
    operator.json("offsets", "restart", "--partition", "0", "--reason", "made smaller", "--yes")
    refused = operator.run(*RETIRE)
    assert refused.exit_code == 1
    assert "not published, and no service does it → start ingestion" in str(refused.exception)
    monkeypatch.setattr(retire, "PATIENCE_S", 60.0)
    with running("ingestion_service", ingestion(topics, database)):
        wait_for(lambda: states(operator, 1)[0] == (0, "ok"), "known")
        wait_for(lambda: operator.json("offsets", status=1)[0]["owner"] is not None, "claimed")
        (done,) = operator.json(*RETIRE)
        assert (done["unpublished_acks"], done["unpublished_dead_letters"]) == (0, 0)
    acks = [json.loads(value or b"") for _, value, _ in consume_whole(topics, ack_topic(topics.settings, "success"))]
    with database.connect() as connection:
        read = connection.execute("SELECT next_offset FROM offset_decisions WHERE action = 'retire'").fetchone()
    assert read == (max((ack["last_offset"] + 1 for ack in acks if ack["partition"] == 1), default=0),)
    with database.connect() as connection:
        stored = connection.execute("SELECT value FROM dead_letters").fetchall()
    letters = consume_whole(topics, topics.settings.topic_dead_letters)
    assert {value for (value,) in stored} <= {value for _, value, _ in letters}
    assert operator.json("reconcile")["ok"]


def test_it_may_be_given_up_with_what_it_left(operator: Operator, topics: Topics, database: Database) -> None:
    killed_before_it_told(topics, database)
    recreate(topics, 1)
    shown = operator.run(*RETIRE, "--leave-unpublished").stdout
    assert "success acks and" in shown
    with database.connect() as connection:
        left = connection.execute("SELECT count(*) FROM outbox_closed").fetchone()
    assert left is not None
    assert left[0] >= 1
    assert operator.json("reconcile")["ok"]
