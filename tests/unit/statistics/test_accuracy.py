"""However readings are split and merged, an answer lies where its rank error says, and that is 0.005 at most."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.statistics import Partials, merge, quantiles
from shared.statistics.partials import concatenate
from shared.statistics.summary import MOST_VALUES, NAMED, STEPS
from tests.unit.statistics.samples import DISTRIBUTIONS, Floats, rank_error, rolled
from tests.unit.statistics.test_rollup import assert_same_bytes

MOST = 0.005
STEP = 1 / (2 * STEPS) + 1 / (2 * MOST_VALUES)  # what a merge, or reading an answer, may add
ROUNDING = 1e-9

sizes = st.one_of(
    st.integers(1, 60), st.integers(MOST_VALUES - 1, MOST_VALUES + 5), st.integers(2 * MOST_VALUES, 20_000)
)
leaves = st.tuples(sizes, st.sampled_from(sorted(DISTRIBUTIONS)))
Leaf = tuple[int, str]
Tree = Leaf | list["Tree"]
trees: st.SearchStrategy[Tree] = st.lists(
    st.one_of(leaves, st.lists(st.one_of(leaves, st.lists(leaves, min_size=1, max_size=3)), min_size=1, max_size=3)),
    min_size=1,
    max_size=3,
)
fractions = st.lists(st.floats(0, 1), max_size=6).map(lambda some: np.array([*some, *np.array(NAMED) / 100, 0, 1]))


def grown(tree: Tree, generator: np.random.Generator, random: Random) -> tuple[Partials, Floats]:
    """The tree's row, merged level by level in some order, and all its readings."""
    if isinstance(tree, tuple):
        values = DISTRIBUTIONS[tree[1]](generator, tree[0]) + 0.0
        return rolled(values), values
    parts = [grown(branch, generator, random) for branch in tree]
    random.shuffle(parts)
    return merge([row for row, _ in parts]), np.concatenate([values for _, values in parts])


def judge(row: Partials, values: Floats, asked: Floats) -> None:
    answers, errors = quantiles(row, asked)
    for answer, error, fraction in zip(answers[0].tolist(), errors[0].tolist(), asked.tolist(), strict=True):
        assert error <= MOST
        assert values.min() <= answer <= values.max()
        if len(values) > 1:
            assert rank_error(values, answer, fraction) <= error + ROUNDING
    assert (errors <= row.rank_error).all()
    assert row.rank_error[0] <= MOST


@settings(max_examples=60, deadline=None)
@given(trees, fractions, st.integers(0, 9), st.randoms())
def test_three_nested_merges_stay_within_their_claim(tree: Tree, asked: Floats, seed: int, random: Random) -> None:
    row, values = grown(tree, np.random.default_rng(seed), random)
    assert (row.count[0], row.min[0], row.max[0]) == (len(values), values.min(), values.max())
    judge(row, values, asked)
    again, _ = grown(tree, np.random.default_rng(seed), random)
    for name in ("summary", "rank_error", "count", "min", "max"):
        assert getattr(again, name).tobytes() == getattr(row, name).tobytes(), name


@pytest.mark.parametrize("count", [2_001, 2_002, 2_499, 2_500, 2_501, 3_001, 20_001])
@pytest.mark.parametrize("other", [1, 60, 2_001, "itself"])
def test_each_merge_adds_no_more_than_a_step(count: int, other: int | str) -> None:
    generator = np.random.default_rng(count)
    row = rolled(generator.normal(size=count))
    assert row.rank_error[0] <= STEP
    for merges in (1, 2, 3):
        row = merge([row, row if other == "itself" else rolled(generator.normal(size=int(other)))])
        assert row.rank_error[0] <= (merges + 1) * STEP


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_named_percentiles_of_one_bucket_are_exact_and_of_others_off_by_half_a_gap(name: str) -> None:
    values = DISTRIBUTIONS[name](np.random.default_rng(8), 86_400)
    row, asked = rolled(values), np.array(NAMED) / 100
    answers, errors = quantiles(row, asked)
    assert not errors.any()
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(answers[0], np.percentile(values, np.array(NAMED)), rtol=1e-9, atol=1e-300)
    judge(row, values, np.array([0.3333, 0.12345, 0.00001, 0.99999]))


@given(st.lists(st.tuples(st.integers(1, 90), st.booleans()), min_size=1, max_size=12), fractions)
def test_rows_that_are_asked_together_answer_as_each_alone(rows: list[tuple[int, bool]], asked: Floats) -> None:
    generator = np.random.default_rng(5)
    parts = [rolled(generator.normal(size=2_500 if large else size)) for size, large in rows]
    answers, errors = quantiles(concatenate(parts), asked)
    for number, part in enumerate(parts):
        alone = quantiles(part, asked)
        assert (alone[0][0].tobytes(), alone[1][0].tobytes()) == (answers[number].tobytes(), errors[number].tobytes())


def test_an_answer_between_equal_points_is_exact() -> None:
    assert not quantiles(rolled(np.full(50_000, 36.6)), np.array([0.3333, 0.99999]))[1].any()


def test_far_more_readings_than_a_key_has_bits_for_are_merged_all_the_same() -> None:
    row = rolled(np.round(np.random.default_rng(4).normal(0, 2, 5_000)))
    huge = replace(row, count=np.array([10**15]))
    assert_same_bytes(merge([huge, row]), merge([row, huge]))
