import pytest

from aggregation_service.pace import Pace

M, D = 60, 86_400
MANY = 1_000_000


def test_pace_starts_small_and_settles_on_the_readings_wanted() -> None:
    pace = Pace(1_000_000, 1_000)
    assert pace.step(MANY, 1) == 20  # nothing is known: a device may have 50 a second
    pace.learn(20, 20 * 4_000, 0)  # it is 4 a second
    assert pace.step(MANY, 1) == 160  # at most eightfold
    pace.learn(160, 160 * 4_000, 0)
    assert pace.step(MANY, 1) == 250
    pace.learn(250, 0, 0)  # nothing there: grow
    assert pace.step(MANY, 1) == 2_000
    pace.learn(1, 5_000_000, 0)
    assert pace.step(MANY, 1) == 1


def test_pace_knows_nothing_of_a_range_but_its_length() -> None:
    assert Pace(1_000_000, D).step(MANY, 1) == 1
    assert Pace(1_000_000, M).step(999, 1) == 333


def test_rows_weigh_too_where_hardly_a_reading_falls_in_each() -> None:
    pace = Pace(1_000_000, D)
    pace.learn(128, 128 * 5_760, 128 * 5_760)  # a reading a minute and metric
    assert pace.step(15_000, 1) == 15
    pace.learn(15, 15 * 5_760, 0)
    assert pace.step(12_000, 1) == 120


@pytest.mark.parametrize(
    ("left", "workers", "expected"),
    [(100, 2, 100), (250, 3, 250), (251, 2, 126), (500, 2, 250), (854, 2, 214), (1_000, 3, 167)],
)
def test_what_is_left_is_cut_into_even_parts_for_all_workers(left: int, workers: int, expected: int) -> None:
    pace = Pace(1_000_000, 1_000)
    pace.learn(250, 250 * 4_000, 0)  # 250 devices fit
    assert pace.step(left, workers) == expected
