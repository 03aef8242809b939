"""Signals move as bodies and weather do."""

import numpy as np
import pytest

from simulator.noise import F64, keys
from simulator.waveforms import ENVIRONMENT, VITAL_SIGNS, Waveform

DAY = np.arange(0.0, 86_400.0, 30.0)


def day_of(waveform: Waveform, devices: int = 20) -> dict[str, F64]:
    """Each metric over a day, of shape (devices, times)."""
    device = np.repeat(keys(5, 0, devices), len(DAY))
    columns = waveform.columns(device, np.tile(DAY, devices))
    names = [metric.name for metric in waveform.metrics]
    return {name: column.reshape(devices, -1) for name, column in zip(names, columns, strict=True)}


@pytest.mark.parametrize("waveform", [VITAL_SIGNS, ENVIRONMENT], ids=lambda waveform: waveform.name)
def test_readings_stay_within_what_sensors_show(waveform: Waveform) -> None:
    signals = day_of(waveform)
    for metric in waveform.metrics:
        outside = (signals[metric.name] < metric.low) | (signals[metric.name] > metric.high)
        assert outside.mean() < 0.01, metric.name


def test_heart_and_breath_rise_together_and_oxygen_falls() -> None:
    signals = day_of(VITAL_SIGNS)
    for heart, breath, oxygen in zip(signals["heart_rate"], signals["respiration_rate"], signals["spo2"], strict=True):
        assert np.corrcoef(heart, breath)[0, 1] > 0.6
        assert np.corrcoef(heart, oxygen)[0, 1] < 0


def test_hearts_beat_slower_at_night_and_bouts_come_by_day() -> None:
    heart = day_of(VITAL_SIGNS)["heart_rate"]
    night, day = heart[:, (DAY > 3 * 3600) & (DAY < 5 * 3600)], heart[:, (DAY > 14 * 3600) & (DAY < 18 * 3600)]
    assert night.mean() + 8 < day.mean()
    assert day.max() > 110 > night.max()


def test_rest_is_within_what_people_have() -> None:
    signals = day_of(VITAL_SIGNS)
    assert 45 < np.median(signals["heart_rate"]) < 90
    assert 10 < np.median(signals["respiration_rate"]) < 20
    assert 95 < np.median(signals["spo2"]) <= 99
    assert 32 < np.median(signals["skin_temperature"]) < 35


def test_it_is_warmest_in_the_afternoon_and_driest_when_warm() -> None:
    signals = day_of(ENVIRONMENT)
    warmest = DAY[np.argmax(signals["temperature"].mean(axis=0))] / 3600
    assert 12 < warmest < 18
    for temperature, humidity in zip(signals["temperature"], signals["humidity"], strict=True):
        assert np.corrcoef(temperature, humidity)[0, 1] < -0.4


def test_pressure_drifts_slowly_around_1013() -> None:
    pressure = day_of(ENVIRONMENT)["pressure"]
    assert pressure.mean() == pytest.approx(1014, abs=3)
    assert np.abs(np.diff(pressure)).max() < 0.5
    assert np.ptp(pressure, axis=1).min() > 0.5


def test_devices_differ() -> None:
    for name, signal in (day_of(VITAL_SIGNS) | day_of(ENVIRONMENT)).items():
        assert len({round(value, 6) for value in signal.mean(axis=1)}) == 20, name
