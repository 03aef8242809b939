"""Records carry the waveforms' values."""

import json

import numpy as np
import pytest

from simulator.fleet import Fleet
from simulator.noise import keys
from simulator.readings import Readings

FLEET = Fleet(devices=4, interval_us=1_000_000)
NUMBERS = FLEET.first_at(1_795_000_000_000_000) + np.arange(400)


def test_each_event_has_its_device_time_and_readings() -> None:
    device, time_us = FLEET.schedule(NUMBERS)
    fleet_keys = keys(7, 0, FLEET.devices)
    for at, record in enumerate(Readings(FLEET, seed=7).records(NUMBERS)):
        event = json.loads(record["value"])
        waveform = FLEET.waveforms[device[at] % 2]
        columns = waveform.columns(fleet_keys[device[at : at + 1]], time_us[at : at + 1] / 1e6)
        assert record["key"].decode() == event["device_id"] == FLEET.device_id(int(device[at]))
        assert list(event["data_payload"]) == [metric.name for metric in waveform.metrics]
        for metric, (value,) in zip(waveform.metrics, columns, strict=True):
            wanted = min(max(value, metric.low), metric.high)
            assert event["data_payload"][metric.name] == pytest.approx(wanted, abs=0.51 * 10**-metric.decimals)


def test_fleets_of_other_intervals_agree_where_their_timestamps_meet() -> None:
    readings: dict[tuple[str, str], object] = {}
    met = 0
    for interval_us in (1_000_000, 1_000_500):
        fleet = Fleet(devices=3, interval_us=interval_us)
        first = fleet.first_at(1_795_000_000_000_000)
        for record in Readings(fleet, seed=7).records(first + np.arange(9_000)):
            event = json.loads(record["value"])
            payload = readings.setdefault((event["device_id"], event["timestamp"]), event["data_payload"])
            assert payload == event["data_payload"]
            met += payload is not event["data_payload"]
    assert met > 0


def test_differing_records_have_the_same_identity_and_another_value() -> None:
    readings = Readings(FLEET, seed=7)
    for record, other in zip(readings.records(NUMBERS), readings.records(NUMBERS, differ=True), strict=True):
        first, second = json.loads(record["value"]), json.loads(other["value"])
        payload, different = first.pop("data_payload"), second.pop("data_payload")
        assert first == second
        assert payload.keys() == different.keys()
        assert payload != different
