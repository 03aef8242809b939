"""Event numbers and times are two names of the same thing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.fleet import Fleet

fleets = st.builds(Fleet, st.integers(1, 5000), st.integers(1_000, 10**9))
moments = st.integers(-(10**15), 4 * 10**15)


@given(fleets, moments)
def test_the_first_event_at_a_time_is_the_first(fleet: Fleet, time_us: int) -> None:
    first = fleet.first_at(time_us)
    assert fleet.time_us(first - 1) < time_us <= fleet.time_us(first)


@given(fleets, moments)
def test_the_schedule_of_many_is_the_schedule_of_each(fleet: Fleet, time_us: int) -> None:
    numbers = fleet.first_at(time_us) + np.arange(50)
    device, times = fleet.schedule(numbers)
    assert times.tolist() == [fleet.time_us(int(number)) for number in numbers]
    assert device.tolist() == [int(number) % fleet.devices for number in numbers]
    assert (np.diff(times) >= 0).all()


def test_each_device_sends_once_an_interval() -> None:
    fleet = Fleet(devices=7, interval_us=10_000_000)
    device, times = fleet.schedule(np.arange(fleet.first_at(0), fleet.first_at(60_000_000)))
    for number in range(7):
        assert np.diff(times[device == number]).tolist() == [10_000_000] * 5


def test_rate_is_events_a_second() -> None:
    fleet = Fleet(devices=1000, interval_us=200_000)
    assert fleet.rate == pytest.approx(5000)
    assert fleet.first_at(1_000_000) - fleet.first_at(0) == 5000
