"""A recording's times and pace."""

import json

import numpy as np

from simulator.recording import Recording
from simulator.replay import records, schedule
from simulator.times import moment

NOW = 1_795_000_000_000_000
RECORDED = np.array([0, 10, 5, 60]) * 1_000_000 + 1_450_000_000_000_000
MAX = float("inf")


def test_real_time_and_faster() -> None:
    assert (schedule(RECORDED, 1.0, NOW, None, shift_to_now=False).due_us - NOW).tolist() == [
        0,
        10**7,
        10**7,
        6 * 10**7,
    ]
    assert (schedule(RECORDED, 10.0, NOW, None, shift_to_now=False).due_us - NOW).tolist() == [
        0,
        10**6,
        10**6,
        6 * 10**6,
    ]
    assert (schedule(RECORDED, MAX, NOW, None, shift_to_now=False).due_us == NOW).all()


def test_times_stay_unless_they_are_moved() -> None:
    assert schedule(RECORDED, MAX, NOW, None, shift_to_now=False).time_us.tolist() == RECORDED.tolist()


def test_shifted_to_now_no_event_is_ahead_of_the_clock_when_it_is_sent() -> None:
    for speed in (0.5, 1.0, 60.0, MAX):
        plan = schedule(RECORDED, speed, NOW, None, shift_to_now=True)
        assert (plan.time_us <= plan.due_us).all()
        assert np.diff(plan.time_us).tolist() == np.diff(RECORDED).tolist()
    assert schedule(RECORDED, 1.0, NOW, None, shift_to_now=True).time_us[0] == NOW
    assert schedule(RECORDED, MAX, NOW, None, shift_to_now=True).time_us[-1] == NOW


def test_a_start_is_the_earliest_time() -> None:
    plan = schedule(RECORDED, MAX, NOW, moment("-24h"), shift_to_now=False)
    assert plan.time_us[0] == NOW - 86_400 * 10**6
    assert (plan.time_us - plan.time_us[0]).tolist() == (RECORDED - RECORDED[0]).tolist()


def test_records_leave_out_what_is_missing() -> None:
    recording = Recording(["é", "y"], np.array([1_757_437_200_000_001, 0]), {"a": [1.5, None], "b": [None, -2.0]}, 0)
    made = records(recording, recording.time_us, 0, 2)
    assert [record["key"].decode() for record in made] == ["é", "y"]
    assert [json.loads(record["value"]) for record in made] == [
        {"device_id": "é", "timestamp": "2025-09-09T17:00:00.000001Z", "data_payload": {"a": 1.5}},
        {"device_id": "y", "timestamp": "1970-01-01T00:00:00.000000Z", "data_payload": {"b": -2.0}},
    ]
