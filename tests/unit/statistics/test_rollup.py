import math
import statistics
from dataclasses import fields
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.statistics import Partials, means, quantiles, rollup, stddevs, sums
from shared.statistics.summary import MOST_VALUES, POINTS, ranks
from tests.unit.statistics.samples import DISTRIBUTIONS, bucket_at, exact_stddev, rolled

FRACTIONS = np.array([0.0, 0.123, 0.5, 0.9, 0.95, 0.99, 1.0])
ordinary = st.floats(-1e100, 1e100, allow_subnormal=False)


def assert_same_bytes(one: Partials, other: Partials) -> None:
    for field in fields(Partials):
        assert getattr(one, field.name).tobytes() == getattr(other, field.name).tobytes(), field.name


@given(st.lists(ordinary, min_size=1, max_size=60))
def test_a_row_says_what_the_standard_library_says(values: list[float]) -> None:
    row = rolled(np.array(values))
    assert row.count.tolist() == [len(values)]
    assert (row.min[0], row.max[0]) == (min(values), max(values))
    assert sums(row)[0] == pytest.approx(float(sum(map(Fraction, values))), rel=3e-16, abs=0)
    assert means(row)[0] == pytest.approx(float(statistics.fmean(map(Fraction, values))), rel=1e-15, abs=1e-300)
    answers, rank_errors = quantiles(row, FRACTIONS)
    np.testing.assert_allclose(answers[0], np.percentile(values, FRACTIONS * 100), rtol=1e-12)
    assert not rank_errors.any()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(-1e9, 1e9))
def test_stddev_is_the_sample_one_wherever_the_values_lie(values: list[float], shift: float) -> None:
    moved = [value + shift for value in values]
    np.testing.assert_allclose(stddevs(rolled(np.array(moved)))[0], exact_stddev(moved), rtol=1e-12, atol=1e-320)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
@example([1.7e308, -1.7e308, 1.7e308])
@example([5e-324, 0.0])
@example([1e300, 1e-300, -1e300, 1.0])
def test_stddev_is_given_wherever_a_double_holds_it(values: list[float]) -> None:
    answer, exact = stddevs(rolled(np.array(values)))[0], exact_stddev(values)
    if not math.isnan(exact) and exact > 1.797693134862e308:
        assert math.isnan(answer) or answer > 1.797693134861e308  # a last bit decides
    else:
        np.testing.assert_allclose(answer, exact, rtol=1e-12, atol=1e-320)


def test_stddev_survives_a_mean_that_a_double_rounds() -> None:
    assert stddevs(rolled(np.array([1e15, 1e15 + 1, 1e15 + 1])))[0] == pytest.approx(math.sqrt(1 / 3), rel=1e-12)


def test_stddev_of_one_reading_is_null() -> None:
    assert math.isnan(stddevs(rolled(np.array([3.0])))[0])
    assert stddevs(rolled(np.array([3.0, 3.0])))[0] == 0.0


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), ordinary), max_size=80), st.randoms()
)
def test_rows_are_groups_in_order_and_arrival_changes_no_byte(
    readings: list[tuple[int, int, int, float]], random: Random
) -> None:
    def roll() -> Partials:
        device, metric, second, value = zip(*readings, strict=True) if readings else ((), (), (), ())
        return rollup(
            np.array(device, np.int32), np.array(metric, np.int32),
            (np.array(second, np.int64) * 60_000_000).view("datetime64[us]"), np.array(value, np.float64),
        )  # fmt: skip

    one = roll()
    random.shuffle(readings)
    assert_same_bytes(one, roll())
    keys = list(zip(one.device.tolist(), one.metric.tolist(), one.bucket.astype(np.int64) // 60_000_000, strict=True))
    assert keys == sorted({reading[:3] for reading in readings})
    for key, count, least in zip(keys, one.count, one.min, strict=True):
        values = [reading[3] for reading in readings if reading[:3] == key]
        assert (count, least) == (len(values), min(values))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("count", [2_000, 2_001, 3_600, 86_400])
def test_percentiles_of_one_bucket_are_those_of_numpy(name: str, count: int) -> None:
    values = DISTRIBUTIONS[name](np.random.default_rng(count), count)
    row = rolled(values)
    fractions = np.array([0.0, 0.001, 0.025, 0.25, 0.29, 0.5, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0])
    with np.errstate(over="ignore"):
        expected = np.percentile(values, fractions * 100)
    answers, rank_errors = quantiles(row, fractions)
    np.testing.assert_allclose(answers[0], expected, rtol=1e-9, atol=1e-300)
    assert not rank_errors.any()
    assert row.summary_length.tolist() == [count if count <= MOST_VALUES else POINTS]
    assert 0 < row.rank_error[0] <= 0.00125 if count > MOST_VALUES else row.rank_error[0] == 0
    np.testing.assert_array_equal(row.summary, np.sort(values + 0.0)[ranks(count)])


def test_a_row_does_not_depend_on_the_other_rows_of_the_call() -> None:
    generator = np.random.default_rng(5)
    sizes = [1, 7, 60, 60, 60, 2001, 5000]
    rows = [generator.lognormal(0, 8, size) for size in sizes]
    device = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    n = len(device)
    together = rollup(device, np.ones(n, np.int32), np.full(n, bucket_at(0)), np.concatenate(rows))
    for number, values in enumerate(rows):
        assert_same_bytes(together.take(np.array([number])), rolled(values, device=number))


def test_readings_at_the_ends_of_a_double_disturb_nobody() -> None:
    device = np.array([1, 1, 1, 2, 2, 3, 3], np.int32)
    value = np.array([1.7e308, 1.7e308, 1.6e308, 1.0, 3.0, 1.7e308, -1.7e308])
    rows = rollup(device, np.ones(7, np.int32), np.full(7, bucket_at(0)), value)
    assert rows.sum[0] == math.inf
    np.testing.assert_array_equal(sums(rows), [math.nan, 4.0, 0.0])
    np.testing.assert_allclose(means(rows), [1.6666666666666667e308, 2.0, 0.0])
    np.testing.assert_array_equal(np.isnan(stddevs(rows)), [False, False, True])
    assert stddevs(rows)[1] == math.sqrt(2)
    np.testing.assert_array_equal(quantiles(rows, np.array([0.5]))[0][:, 0], [1.7e308, 2.0, 0.0])


def test_a_sum_that_fits_is_given_even_where_its_parts_overflow() -> None:
    assert sums(rolled(np.array([1.7e308, 1.7e308, -1.7e308, -1.7e308, 5.0]))).tolist() == [5.0]
    assert sums(rolled(np.array([1e300, 1.0, -1e300]))).tolist() == [1.0]
    assert sums(rolled(np.array([5e-324, 5e-324]))).tolist() == [1e-323]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
@example([1e300, 1.0, 1.0, -1e300])
@example([1e300, 1e200, 1e100, 1.0, 1e-300, -1e300, -1e200, -1e100])
@example([0.1] * 10)
@example([1.7e308, 1.7e308, -1.7e308, 5e-324])
def test_a_sum_is_right_whatever_cancels_out(values: list[float]) -> None:
    exact = sum(map(Fraction, values), Fraction(0))
    if abs(exact) < Fraction(1.797e308):
        # Beyond 1e280 numbers are scaled by 2⁻⁶⁴, so what is smaller than 1e-304 drops out there.
        tiny = 0.0 if max(map(abs, values)) <= 1e280 else len(values) * 1e-304
        assert sums(rolled(np.array(values)))[0] == pytest.approx(float(exact), rel=3e-16, abs=tiny)


def test_minus_zero_counts_as_zero() -> None:
    one, other = rolled(np.array([-0.0, 0.0, 0.0])), rolled(np.array([0.0, 0.0, -0.0]))
    assert_same_bytes(one, other)
    assert math.copysign(1, one.min[0]) == 1
