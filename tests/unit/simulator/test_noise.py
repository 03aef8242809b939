"""Noise is a pure function with the distribution that it claims."""

import numpy as np
import pytest

from simulator.noise import keys, normal, smooth, uniform

COUNTER = np.arange(-50_000, 50_000)


def test_keys_do_not_change_when_a_fleet_grows() -> None:
    assert keys(7, 0, 1000)[:10].tolist() == keys(7, 0, 10).tolist()


def test_keys_differ_by_seed_and_stream() -> None:
    assert len({int(keys(seed, stream)[0]) for seed in range(10) for stream in range(10)}) == 100


def test_uniform_fills_its_interval() -> None:
    draws = uniform(keys(1, 0), COUNTER)
    assert draws.min() >= 0
    assert draws.max() < 1
    assert np.histogram(draws, 10, (0, 1))[0] == pytest.approx(10_000, rel=0.05)


def test_normal_has_mean_0_and_deviation_1() -> None:
    draws = normal(keys(1, 0), COUNTER)
    assert draws.mean() == pytest.approx(0, abs=0.02)
    assert draws.std() == pytest.approx(1, abs=0.02)
    assert np.abs(draws).max() < 3.5


def test_neighbours_are_uncorrelated() -> None:
    draws = uniform(keys(1, 0), COUNTER)
    assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < 0.02
    first, second = keys(1, 0, 2)
    other = np.corrcoef(uniform(np.array([first]), COUNTER), uniform(np.array([second]), COUNTER))
    assert abs(other[0, 1]) < 0.02


def test_smooth_moves_little_in_little_time_and_much_in_much() -> None:
    seconds = np.arange(-5_000.0, 5_000.0)
    curve = smooth(keys(3, 0), seconds, 100.0)
    assert np.abs(np.diff(curve)).max() < 0.04
    assert curve.min() < -0.8
    assert curve.max() > 0.8
