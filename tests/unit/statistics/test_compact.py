"""Summaries as bytes: what is unpacked is what was packed, bit by bit, and it is small where readings are decimals."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.statistics import compact
from tests.unit.statistics.samples import DISTRIBUTIONS, Floats

finite = st.floats(allow_nan=False, allow_infinity=False)
decimals = st.builds(lambda whole, places: whole / 10**places, st.integers(-(10**9), 10**9), st.integers(0, 9))
steps = st.sampled_from([0.0, 0.1, 0.25, 255.0, 255.1, 256.0, 65_535.0, 65_536.0, 2.0**32, 2.0**32 - 1, 2.0**51])


def packed_and_unpacked(rows: list[Floats]) -> tuple[list[int], list[Floats]]:
    """The octets of each row, and the rows again: packed by length, unpacked as one."""
    packed = [b""] * len(rows)
    for length in {len(row) for row in rows}:
        same = [number for number, row in enumerate(rows) if len(row) == length]
        for numbers, octets in compact.pack(np.array([rows[number] for number in same])):
            for number, one in zip(numbers, octets, strict=True):
                packed[same[number]] = one.tobytes()
    sizes = [len(one) for one in packed]
    values, lengths = compact.unpack(np.frombuffer(b"".join(packed), np.uint8), np.array(sizes))
    return sizes, np.split(values, np.cumsum(lengths)[:-1])


@given(st.lists(st.lists(st.one_of(finite, decimals, steps), min_size=1, max_size=30), min_size=1, max_size=8))
@example([[0.0], [-0.0], [5e-324], [1.7e308, 1.7e308], [-1.7e308, 1.7e308]])
@example([[0.1 + 0.2], [2.0**51], [2.0**53 + 2], [-(2.0**51) - 1], [9007199254740993.0, 9007199254740995.0]])
@example([[0.0, 255.0], [0.0, 256.0], [0.0, 65_535.0], [0.0, 65_536.0], [0.0, 2.0**32 - 1], [0.0, 2.0**32]])
def test_every_bit_comes_back(given_rows: list[list[float]]) -> None:
    rows = [np.sort(np.array(row)) for row in given_rows]
    _, again = packed_and_unpacked(rows)
    for row, one in zip(rows, again, strict=True):
        assert one.tobytes() == row.tobytes()


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("places", [0, 1, 3, None])
def test_every_bit_of_real_readings_comes_back(name: str, places: int | None) -> None:
    rows = DISTRIBUTIONS[name](np.random.default_rng(6), 60_000).reshape(1_000, 60) + 0.0
    if places is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = np.round(rows, places) + 0.0
        rows = np.where(np.isfinite(rounded), rounded, rows)
    rows.sort(axis=1)
    _, again = packed_and_unpacked(list(rows))
    assert np.concatenate(again).tobytes() == rows.tobytes()


def test_decimals_take_a_byte_or_two_each_and_others_one_more_than_doubles() -> None:
    generator = np.random.default_rng(7)
    minute = np.sort(np.round(generator.uniform(18, 22, 60), 2))
    wide = np.sort(np.round(generator.normal(0, 500, 60), 1))
    doubles = np.sort(generator.normal(size=60))
    sizes, _ = packed_and_unpacked([minute, wide, doubles, np.full(60, 36.6)])
    assert sizes == [1 + 8 + 59, 1 + 8 + 2 * 59, 1 + 8 * 60, 1 + 8 + 59]


def test_bytes_of_a_row_do_not_depend_on_the_other_rows() -> None:
    generator = np.random.default_rng(8)
    rows = [np.sort(np.round(generator.normal(0, 10**places, 60), places)) for places in range(6) for _ in range(20)]
    together = np.empty(len(rows), object)
    for numbers, octets in compact.pack(np.array(rows)):
        together[numbers] = [one.tobytes() for one in octets]
    for row, octets in zip(rows, together, strict=True):
        [(_, alone)] = compact.pack(row[None, :])
        assert alone.tobytes() == octets
