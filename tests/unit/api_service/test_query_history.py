"""Windows of /records cover a range once, the newest first."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from api_service.query.history import windows

MINUTE = 60_000_000
YEARS = 300 * 366 * 24 * 60 * MINUTE


@given(st.integers(-(2**51), 2**51), st.integers(0, YEARS))
def test_windows_cover_the_range_once(start: int, length: int) -> None:
    made = list(windows(start, start + length))
    assert all(low < high for low, high in made)
    assert all(later[0] == earlier[1] for later, earlier in pairwise(made))
    assert (made[-1][0], made[0][1]) == (start, start + length) if length else not made
    assert len(made) <= 12  # statements, at the most


def test_they_grow_from_a_minute() -> None:
    day = 24 * 60 * MINUTE
    assert [(high - low) // MINUTE for low, high in windows(0, day)] == [1, 8, 64, 512, 1440 - 585]
