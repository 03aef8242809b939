"""Readings become the contract's JSON, with what the sensor can tell apart."""

import json

import numpy as np

from simulator.encode import Encoder, rfc3339
from simulator.waveforms import Metric

METRICS = (Metric("a", 1, 0.0, 10.0), Metric("b", 2, -1.0, 1.0))
TIMES = np.array([1_757_437_200_000_000, 1_757_437_200_123_999, -1])


def documents(a: list[float], b: list[float], *, differ: bool = False) -> list[dict[str, object]]:
    encoder = Encoder(METRICS)
    steps = encoder.quantise([np.array(a), np.array(b)])
    if differ:
        steps = encoder.differ(steps)
    return [json.loads(text) for text in encoder.events([b"x", b"y", b"z"], TIMES, steps)]


def test_an_event_has_the_nested_form() -> None:
    assert documents([1.0, 2.04, 9.96], [0.0, -0.126, 0.994]) == [
        {"device_id": "x", "timestamp": "2025-09-09T17:00:00.000Z", "data_payload": {"a": 1.0, "b": 0.0}},
        {"device_id": "y", "timestamp": "2025-09-09T17:00:00.123Z", "data_payload": {"a": 2.0, "b": -0.13}},
        {"device_id": "z", "timestamp": "1969-12-31T23:59:59.999Z", "data_payload": {"a": 10.0, "b": 0.99}},
    ]


def test_a_reading_beyond_the_limits_shows_the_limit() -> None:
    payloads = [document["data_payload"] for document in documents([-5, 11, 3], [9, -9, 0])]
    assert payloads == [{"a": 0.0, "b": 1.0}, {"a": 10.0, "b": -1.0}, {"a": 3.0, "b": 0.0}]


def test_a_conflicting_event_differs_by_the_least_step_of_its_first_metric() -> None:
    events = documents([0.0, 5.0, 10.0], [0.5, 0.5, 0.5], differ=True)
    assert [event["data_payload"] for event in events] == [
        {"a": 0.1, "b": 0.5},
        {"a": 4.9, "b": 0.5},
        {"a": 9.9, "b": 0.5},
    ]


def test_times_are_cut_to_the_millisecond() -> None:
    assert rfc3339(TIMES)[1] == "2025-09-09T17:00:00.123Z"
