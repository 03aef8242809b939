"""A stream of records: deterministic however it is cut, and its summary adds up to what the pipeline must find."""

import json
from collections import Counter, defaultdict
from typing import Any

import pytest

from simulator.faults import FAULTS, Fault, FaultPlanner
from simulator.fleet import Fleet
from simulator.noise import keys
from simulator.record import Record
from simulator.stream import Stream
from simulator.summary import Summary

FLEET = Fleet(devices=20, interval_us=1_000_000)
FIRST = FLEET.first_at(1_795_000_000_000_000)
EACH = dict.fromkeys(FAULTS, 0.03)


def stream(shares: dict[Fault, float], seed: int = 7, fleet: Fleet = FLEET) -> Stream:
    return Stream(fleet, FaultPlanner(keys(seed, 1), fleet.devices, 2_000, shares), seed)


def sent(made: Stream, events: int = 6_000, chunk: int = 1_000, first: int = FIRST) -> list[Record]:
    records = []
    for number in range(first, first + events, chunk):
        records += made.records(number, min(number + chunk, first + events))
    return records + made.rest()


def event(record: Record) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(record["value"])
    return document


def test_without_faults_each_event_is_sent_once_in_order_of_time() -> None:
    records = sent(stream({}))
    times = [event(record)["timestamp"] for record in records]
    assert len(records) == 6_000
    assert times == sorted(times)
    assert all(record["key"].decode() == event(record)["device_id"] for record in records)


@pytest.mark.parametrize("chunk", [13, 997, 6_000])
def test_how_a_run_is_cut_changes_no_byte_and_no_order(chunk: int) -> None:
    assert sent(stream(EACH), chunk=chunk) == sent(stream(EACH))


def test_same_seed_same_bytes_and_another_seed_others() -> None:
    assert sent(stream(EACH)) == sent(stream(EACH))
    assert sent(stream({})) != sent(stream({}, seed=8))


def test_runs_that_overlap_agree_on_what_they_share() -> None:
    early, late = sent(stream({})), sent(stream({}), first=FIRST + 3_000)
    assert early[3_000:] == late[:3_000]


def test_a_device_sends_the_same_whatever_else_is_in_the_fleet() -> None:
    larger = Fleet(devices=40, interval_us=1_000_000)
    mine = {event(record)["timestamp"]: record["value"] for record in sent(stream({})) if record["key"] == b"dev-00000"}
    records = sent(stream({}, fleet=larger), events=12_000, first=larger.first_at(1_795_000_000_000_000))
    theirs = {event(record)["timestamp"]: record["value"] for record in records if record["key"] == b"dev-00000"}
    assert mine == theirs


def test_late_events_come_long_after_their_time_and_lose_nothing() -> None:
    plain, faulty = sent(stream({})), sent(stream({Fault.LATE: 0.05}))
    assert sorted(r["value"] for r in plain) == sorted(r["value"] for r in faulty)
    place = {record["value"]: number for number, record in enumerate(faulty)}
    moved = [place[record["value"]] - number for number, record in enumerate(plain)]
    assert sum(distance > 500 for distance in moved) == pytest.approx(300, rel=0.3)


def test_events_out_of_order_come_after_later_ones_of_their_device() -> None:
    made = stream({Fault.OUT_OF_ORDER: 0.05})
    newest: dict[bytes, str] = defaultdict(str)
    overtaken = 0
    for record in sent(made):
        time = event(record)["timestamp"]
        overtaken += time < newest[record["key"]]
        newest[record["key"]] = max(newest[record["key"]], time)
    # Those of the last seconds have no later events that could overtake them.
    assert made.sent.faults[Fault.OUT_OF_ORDER] - 20 <= overtaken <= made.sent.faults[Fault.OUT_OF_ORDER]


def test_duplicates_are_byte_for_byte_and_conflicts_differ_in_values_only() -> None:
    made = stream({Fault.DUPLICATE: 0.05, Fault.CONFLICT: 0.05})
    versions: dict[tuple[str, str], list[bytes]] = defaultdict(list)
    for record in sent(made):
        versions[event(record)["device_id"], event(record)["timestamp"]].append(record["value"])
    twice = [pair for pair in versions.values() if len(pair) == 2]
    assert max(map(len, versions.values())) == 2
    assert sum(first == second for first, second in twice) == made.sent.faults[Fault.DUPLICATE] > 200
    conflicts = [(json.loads(first), json.loads(second)) for first, second in twice if first != second]
    assert len(conflicts) == made.sent.faults[Fault.CONFLICT] > 200
    assert all(first["data_payload"].keys() == second["data_payload"].keys() for first, second in conflicts)


def test_the_first_of_two_conflicting_events_is_the_true_one() -> None:
    truth = {record["value"] for record in sent(stream({}))}
    seen: set[tuple[str, str]] = set()
    for record in sent(stream({Fault.CONFLICT: 0.1})):
        identity = event(record)["device_id"], event(record)["timestamp"]
        assert (record["value"] in truth) == (identity not in seen)
        seen.add(identity)


def test_the_summary_adds_up() -> None:
    made = stream(EACH)
    records = sent(made)
    document = Summary(made.sent, 20, 7, "", "", 1.0).document()
    assert document["events"] == 6_000
    assert document["records"] == len(records) == 6_000 + document["expected"]["duplicates"]
    assert document["expected"]["persisted"] + document["expected"]["dead_lettered"] == 6_000
    assert sum(document["malformed_codes"].values()) == document["faults"]["malformed"]
    assert all(document["faults"][fault.label] for fault in FAULTS)


def test_malformed_events_take_the_place_of_good_ones() -> None:
    plain = Counter(record["value"] for record in sent(stream({})))
    made = stream({Fault.MALFORMED: 0.05})
    left = Counter(record["value"] for record in sent(made)) & plain
    assert left.total() == 6_000 - made.sent.faults[Fault.MALFORMED]
