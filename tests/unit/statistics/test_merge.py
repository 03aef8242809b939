import itertools
import math
from random import Random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.statistics import Partials, means, merge, quantiles, stddevs, sums
from tests.unit.statistics.samples import DISTRIBUTIONS, exact_stddev, rank_error, rolled
from tests.unit.statistics.test_rollup import assert_same_bytes

FRACTIONS = np.array([0.001, 0.01, 0.1, 0.25, 0.333, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999])
ordinary = st.floats(-1e100, 1e100, allow_subnormal=False)


@given(st.lists(st.lists(ordinary, min_size=1, max_size=30), min_size=1, max_size=8))
def test_a_merge_of_rollups_is_the_rollup_of_all(groups: list[list[float]]) -> None:
    merged = merge([rolled(np.array(group)) for group in groups])
    whole = rolled(np.array(list(itertools.chain(*groups))))
    for exact in ("count", "min", "max", "rank_error", "summary", "summary_length"):
        assert getattr(merged, exact).tobytes() == getattr(whole, exact).tobytes(), exact
    np.testing.assert_allclose(sums(merged), sums(whole), rtol=3e-16)
    np.testing.assert_allclose(merged.deviation, whole.deviation, rtol=1e-12)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_however_readings_are_split_sums_and_summaries_are_the_same_bytes(name: str) -> None:
    generator = np.random.default_rng(11)
    values = DISTRIBUTIONS[name](generator, 1_900)
    whole = rolled(values)
    for pieces in (2, 3, 40, 1_000):
        cuts = np.unique(generator.integers(1, len(values), pieces))
        merged = merge([rolled(part) for part in np.split(generator.permutation(values), cuts)])
        for same in ("count", "sum", "min", "max", "rank_error", "summary", "summary_length"):
            assert getattr(merged, same).tobytes() == getattr(whole, same).tobytes(), same
        np.testing.assert_allclose(stddevs(merged), stddevs(whole), rtol=1e-12, atol=1e-322)


def test_many_exact_members_give_the_very_grid_of_their_values() -> None:
    values = np.random.default_rng(3).lognormal(size=3_600)
    merged = merge([rolled(part) for part in np.split(values, 60)])
    whole = rolled(values)
    assert merged.summary.tobytes() == whole.summary.tobytes()
    assert merged.rank_error.tolist() == whole.rank_error.tolist() == [8 / 2 / 3_599]


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.lists(finite, min_size=1, max_size=10), min_size=1, max_size=6))
@example([[1e15, 1e15 + 1], [1e15 + 1]])
@example([[1e300], [1e-300, -1e300]])
@example([[1.7e308, -1.7e308], [1.7e308]])
@example([[0.0], [5e-324]])
def test_stddev_of_a_merge_is_given_wherever_a_double_holds_it(groups: list[list[float]]) -> None:
    parts = merge([rolled(np.array(group), second=number) for number, group in enumerate(groups)])
    answer = stddevs(merge([rolled(np.array(group)) for group in groups]))[0]
    exact = exact_stddev(list(itertools.chain(*groups)))
    # Where a part's sum is too large for a double, its mean has only 53 bits (a last bit is 2⁹⁷¹).
    rounded = 0.0 if np.isfinite(parts.sum).all() else 2.0**971
    if not math.isnan(exact) and exact > 1.797693134862e308:
        assert math.isnan(answer) or answer > 1.797693134861e308  # a last bit decides
    else:
        np.testing.assert_allclose(answer, exact, rtol=1e-12, atol=max(rounded, 1e-320))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize(
    ("members", "size"), [(24, 3_600), (90, 2_000), (1_440, 60), (7, 500), (2, 2_001)], ids=lambda n: str(n)
)
def test_rank_error_of_merges(name: str, members: int, size: int) -> None:
    generator = np.random.default_rng(members)
    values = DISTRIBUTIONS[name](generator, members * size)
    if members == 90:
        values = np.sort(values)  # a drift: each member has a range of its own
    merged = merge([rolled(part) for part in np.split(values, members)])
    answers, claimed = quantiles(merged, FRACTIONS)
    for answer, bound, fraction in zip(answers[0], claimed[0], FRACTIONS, strict=True):
        off = rank_error(values, answer, fraction)
        assert off <= 0.005
        assert off <= bound + 1e-9
    assert (claimed <= 0.005).all()


@given(
    st.lists(st.tuples(st.integers(1, 6_000), st.sampled_from(sorted(DISTRIBUTIONS))), min_size=2, max_size=6),
    st.integers(0, 99),
)
def test_the_claimed_rank_error_holds_for_any_members(members: list[tuple[int, str]], seed: int) -> None:
    generator = np.random.default_rng(seed)
    parts = [DISTRIBUTIONS[name](generator, size) for size, name in members]
    merged = merge([rolled(part) for part in parts])
    again = merge([merged, rolled(parts[0])])  # a merge of a merge: the bound grows and still holds
    for row, values in ((merged, np.concatenate(parts)), (again, np.concatenate([*parts, parts[0]]))):
        if len(values) < 2:
            continue
        answers, bounds = quantiles(row, FRACTIONS)
        for answer, bound, fraction in zip(answers[0], bounds[0], FRACTIONS, strict=True):
            assert rank_error(values, answer, fraction) <= bound + 1e-9
        assert (bounds <= row.rank_error[0]).all()
        assert quantiles(row, np.array([0.0, 1.0]))[0][0].tolist() == [values.min() + 0.0, values.max() + 0.0]


@given(st.lists(st.integers(1, 4_000), min_size=2, max_size=5), st.randoms())
def test_the_order_of_members_changes_no_byte(sizes: list[int], random: Random) -> None:
    generator = np.random.default_rng(1)
    # Few distinct values: ties between members of different weights.
    parts = [rolled(np.round(generator.normal(0, 3, size))) for size in sizes]
    one = merge(parts)
    random.shuffle(parts)
    assert_same_bytes(one, merge(parts))


def test_rows_of_other_keys_stay_as_they_are() -> None:
    generator = np.random.default_rng(2)
    rows = [
        rolled(generator.normal(size=n), device=device, second=second)
        for n, device, second in [(5, 1, 0), (9_000, 1, 60), (30, 2, 0), (9_000, 2, 0), (2, 3, 0)]
    ]
    merged = merge(rows)
    assert merged.device.tolist() == [1, 1, 2, 3]
    assert merged.count.tolist() == [5, 9_000, 9_030, 2]
    for at, row in ((0, rows[0]), (1, rows[1]), (3, rows[4])):
        assert_same_bytes(merged.take(np.array([at])), row)
    assert_same_bytes(merged.take(np.array([2])), merge(rows[2:4]))


def test_a_merged_row_does_not_depend_on_the_other_rows() -> None:
    generator = np.random.default_rng(6)
    sizes = [*generator.integers(2, 60, 150).tolist(), *generator.integers(1_990, 3_000, 50).tolist()]
    # Devices with one row, which stays as it is, and with several.
    devices = [*range(180), *generator.integers(180, 185, 20).tolist()]
    rows = [
        rolled(generator.lognormal(0, 3, size), device=device)
        for size, device in zip(generator.permutation(sizes).tolist(), devices, strict=True)
    ]
    together = merge(rows)
    for number, device in enumerate(together.device.tolist()):
        assert_same_bytes(together.take(np.array([number])), merge([row for row in rows if row.device[0] == device]))


def test_late_readings_add_up() -> None:
    row = rolled(np.array([1.0]))
    late = Partials(**{name: getattr(row, name) for name in Partials.__slots__ if name != "late"}, late=np.array([2]))
    assert merge([late, row, late]).late.tolist() == [4]


def test_sums_that_overflow_keep_their_mean() -> None:
    huge = rolled(np.array([1.5e308, 1.7e308]))
    merged = merge([huge, huge, rolled(np.array([0.0] * 4))])
    assert math.isnan(sums(merged)[0])
    assert means(merged)[0] == pytest.approx(0.8e308)
    assert stddevs(merged)[0] == pytest.approx(exact_stddev([1.5e308, 1.7e308] * 2 + [0.0] * 4), rel=1e-12)
    assert (
        sums(merge([rolled(np.array([1.7e308])), rolled(np.array([1.7e308])), rolled(np.array([-1.7e308]))]))[0]
        == 1.7e308
    )


def test_nothing_merges_to_nothing() -> None:
    assert len(merge([])) == 0
    assert [part.shape for part in quantiles(merge([]), FRACTIONS)] == [(0, len(FRACTIONS))] * 2
