"""Believable signals: metrics of a device as functions of its key and the time.

A waveform takes `device`, a key each event, and `time_s`, seconds since 1970 in UTC, both of shape (events,),
and returns a column for each of its metrics. Same key and time, same values.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulator.noise import F64, U64, bits, normal, smooth, uniform

_DAY = 86_400.0


@dataclass(frozen=True)
class Metric:
    """A metric's name, what its sensor can tell apart (`decimals`) and the limits of what it can show."""

    name: str
    decimals: int
    low: float
    high: float


@dataclass(frozen=True)
class Waveform:
    """What one kind of device measures."""

    name: str
    metrics: tuple[Metric, ...]
    columns: Callable[[U64, F64], tuple[F64, ...]]


def vital_signs(device: U64, time_s: F64) -> tuple[F64, ...]:
    """Heart rate (1/min), respiration rate (1/min), SpO2 (%) and skin temperature (°C) of someone who sleeps,
    moves in bouts and rests; the four move together.
    """
    person = _traits(device)
    # From −1 before dawn (about 4 h local) to 1 in the afternoon; people live up to 3 h apart.
    day = -np.cos(2 * np.pi * (time_s / _DAY - 4 / 24 + person(0) / 8))
    bout = smooth(bits(device, 10), time_s, 1500.0) + 0.45 * day
    activity = np.clip(2.5 * (bout - 0.55), 0.0, 1.0)
    tick = np.floor(time_s * 1000).astype(np.int64)
    heart_rate = (
        56 + 18 * person(1)
        + 5 * day
        + (45 + 40 * person(2)) * activity
        + 3 * smooth(bits(device, 11), time_s, 40.0)
        + 0.8 * normal(bits(device, 12), tick)
    )  # fmt: skip
    respiration = 12 + 3 * person(3) + 0.6 * day + 13 * activity + 0.25 * normal(bits(device, 13), tick)
    spo2 = (
        97 + 1.5 * person(4)
        - 1.2 * activity
        + 0.6 * smooth(bits(device, 14), time_s, 300.0)
        + 0.2 * normal(bits(device, 15), tick)
    )  # fmt: skip
    # Skin is warmer at night, when blood goes to the limbs.
    skin = 33 + person(5) - 0.6 * day + 0.7 * activity + 0.15 * smooth(bits(device, 16), time_s, 600.0)
    return heart_rate, respiration, spo2, skin


def environment(device: U64, time_s: F64) -> tuple[F64, ...]:
    """Air temperature (°C), relative humidity (%), pressure (hPa) and battery (%) of a station outdoors: a daily
    cycle, humidity against it, pressure that drifts with the weather and a battery changed every few weeks.
    """
    station = _traits(device)
    sun = -np.cos(2 * np.pi * (time_s / _DAY - 3 / 24))
    weather = smooth(bits(device, 20), time_s, 6 * 3600.0)
    swing = (3 + 3 * station(1)) * sun + 1.5 * weather
    tick = np.floor(time_s * 1000).astype(np.int64)
    temperature = 12 + 10 * station(0) + swing + 0.05 * normal(bits(device, 21), tick)
    humidity = 58 + 10 * station(2) - 2.4 * swing + 5 * smooth(bits(device, 22), time_s, 4 * 3600.0)
    pressure = (
        1013 + 2 * station(3)
        + 5 * smooth(bits(device, 23), time_s, 36 * 3600.0)
        + 0.6 * np.sin(4 * np.pi * time_s / _DAY)
        + 0.05 * normal(bits(device, 24), tick)
    )  # fmt: skip
    charge = (time_s / ((20 + 20 * station(4)) * _DAY) + station(5)) % 1.0
    return temperature, humidity, pressure, 100.0 - 80.0 * charge


VITAL_SIGNS = Waveform(
    "vital-signs",
    (
        Metric("heart_rate", 1, 30.0, 220.0),
        Metric("respiration_rate", 1, 4.0, 60.0),
        Metric("spo2", 1, 70.0, 100.0),
        Metric("skin_temperature", 2, 25.0, 42.0),
    ),
    vital_signs,
)
ENVIRONMENT = Waveform(
    "environment",
    (
        Metric("temperature", 2, -40.0, 60.0),
        Metric("humidity", 1, 0.0, 100.0),
        Metric("pressure", 2, 950.0, 1060.0),
        Metric("battery", 1, 0.0, 100.0),
    ),
    environment,
)


def _traits(device: U64) -> Callable[[int], F64]:
    """What a device keeps for life: a number in [0, 1) for each index."""
    traits = bits(device, -1)
    return lambda index: uniform(traits, index)
