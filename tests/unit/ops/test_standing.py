"""Where partitions stand, and which decisions about them make sense."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from ops.broker import Held
from ops.offsets.commands import advice
from ops.offsets.standing import Standing, heir, judge, plan, require_gone, standings
from shared.errors import PlumblineError

OWNER = UUID("12345678-1234-5678-1234-567812345678")
ROW: dict[str, Any] = {
    "topic": "t", "partition": 0, "topic_id": "A", "next_offset": 50, "owner": OWNER, "owner_epoch": 3, "chapter": 0,
    "leader_epoch": None, "truncated": False,
}  # fmt: skip


def held(low: int = 10, high: int = 90, topic_id: str = "A") -> Held:
    return Held(topic_id, {0: (low, high)})


def standing(row: dict[str, Any] = ROW, there: Held | None = None) -> Standing:
    return standings([row], {"t": there or held()})[0]


@pytest.mark.parametrize(
    ("there", "state"),
    [
        (held(), "ok"),
        (held(low=50), "ok"),
        (held(high=50), "ok"),
        (held(low=51), "retention_overtook"),
        (held(high=49), "truncated"),
        (held(topic_id="B"), "topic_recreated"),
        (held(low=51, topic_id="B"), "topic_recreated"),
        (Held("B", {1: (0, 0)}), "topic_gone"),
        (None, "topic_gone"),
    ],
)
def test_the_state_follows_from_what_kafka_holds(there: Held | None, state: str) -> None:
    assert judge(ROW, there) == state


def test_a_log_that_was_cut_and_has_grown_again_still_needs_a_decision() -> None:
    assert judge(ROW | {"truncated": True}, held(high=90)) == "truncated"


def test_a_partition_that_nobody_has_read_yet_needs_no_decision() -> None:
    found = standings([], {"t": held()})
    assert [(each.partition, each.state, each.lag, each.needs_decision) for each in found] == [
        (0, "unclaimed", 80, False)
    ]


def test_a_topic_that_is_gone_is_shown_beside_the_others() -> None:
    found = standings([ROW, {**ROW, "topic": "u"}], {"t": held()})
    assert [(each.name, each.state, each.high, each.lag) for each in found] == [
        ("t[0]", "ok", 90, 40),
        ("u[0]", "topic_gone", None, None),
    ]
    assert "u[0]: topic_gone: Kafka has no such partition → make the topic again" in advice(found)[0]


def test_of_a_topic_that_was_made_again_all_is_unread() -> None:
    assert standing(there=held(low=3, high=20, topic_id="B")).lag == 17


def test_every_state_that_needs_a_decision_comes_with_its_way_out() -> None:
    for there in (held(low=51), held(high=49), held(topic_id="B")):
        assert "→ plumbline offsets restart|skip" in advice([standing(there=there)])[0]


@pytest.mark.parametrize(
    ("action", "to", "offset"),
    [("skip", "latest", 90), ("skip", "60", 60), ("restart", "earliest", 10), ("restart", "90", 90)],
)
def test_a_target_is_found(action: str, to: str, offset: int) -> None:
    assert plan(action, standing(), to).offset == offset


@pytest.mark.parametrize(
    ("action", "to", "there", "problem"),
    [
        ("restart", "9", held(), "offset 9 is outside of what t\\[0\\] holds → choose from 10 to 90"),
        ("restart", "91", held(), "choose from 10 to 90"),
        ("restart", "-1", held(), "'-1' is no offset"),
        ("restart", "newest", held(), "'newest' is no offset → earliest, latest or a number"),
        ("skip", "49", held(), "49 is before that → to go back: plumbline offsets restart"),
        ("skip", "earliest", held(), "stands at 50, and 10 is before that"),
        ("restart", "earliest", Held("B", {}), "Kafka has no t\\[0\\] → make the topic again"),
    ],
)
def test_nonsense_is_refused(action: str, to: str, there: Held, problem: str) -> None:
    with pytest.raises(PlumblineError, match=problem):
        plan(action, standing(there=there), to)


def test_what_was_never_read_needs_no_decision() -> None:
    with pytest.raises(PlumblineError, match="never read"):
        plan("restart", standings([], {"t": held()})[0], "earliest")


def test_a_new_topic_may_be_skipped_to_any_of_its_offsets() -> None:
    new = standing(there=held(low=0, high=20, topic_id="B"))
    assert plan("skip", new, "earliest").offset == 0
    assert "20 records of the new one are skipped" in plan("skip", new, "latest").sentence()


@pytest.mark.parametrize(
    ("to", "effect"),
    [("60", "10 offsets are skipped"), ("50", "nothing is skipped"), ("40", "10 offsets are read again")],
)
def test_a_plan_says_what_it_does(to: str, effect: str) -> None:
    assert effect in plan("restart", standing(), to).sentence()


def test_nobody_owns_a_partition_that_was_just_decided_about() -> None:
    assert standing({**ROW, "owner": UUID(int=0)}).owner is None
    assert standing().owner == str(OWNER)
    assert replace(standing(), state="ok").needs_decision is False


def test_only_a_partition_that_kafka_has_no_more_is_retired() -> None:
    require_gone(standing(there=Held("B", {1: (0, 0)})))
    for there in (held(), held(low=51), held(high=49), held(topic_id="B")):
        with pytest.raises(PlumblineError, match="it can't be retired"):
            require_gone(standing(there=there))
    with pytest.raises(PlumblineError, match="never read"):
        require_gone(standings([], {"t": held()})[0])


def test_what_a_partition_left_goes_to_who_owns_one_that_is_well() -> None:
    gone, nobodys, well = standing(there=Held("B", {})), replace(standing(), owner=None), standing()
    assert heir([gone, nobodys, well]) == str(OWNER)
    assert heir([gone, nobodys]) is None
