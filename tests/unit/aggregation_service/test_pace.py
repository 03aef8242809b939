from aggregation_service.pace import Pace


def test_pace_starts_small_and_settles_on_the_readings_wanted() -> None:
    pace = Pace(1_000_000)
    assert pace.step(1_000) == 1  # nothing is known: a device may hold more than fits in memory many times over
    pace = pace.after(1, 1_000, 4_000, 0)  # 4 readings a second
    assert pace.step(1_000) == 8  # at most eightfold
    pace = pace.after(128, 1_000, 128 * 4_000, 0)
    assert pace.step(1_000) == 250
    assert pace.step(100_000) == 2
    assert pace.step(10_000_000) == 1
    assert pace.after(250, 1_000, 0, 0).step(1_000) == 2_000  # nothing there: grow


def test_rows_weigh_too_where_hardly_a_reading_falls_in_each() -> None:
    pace = Pace(1_000_000).after(128, 86_400, 128 * 5_760, 128 * 5_760)  # a reading a minute and metric
    assert pace.step(86_400) == 15
    assert pace.after(15, 86_400, 15 * 5_760, 0).step(86_400) == 120


def test_pace_begins_each_range_of_time_anew() -> None:
    # A day that has but its first hour, then a whole one: 24 times as many readings a device.
    pace = Pace(1_000_000).after(128, 86_400, 128 * 14_400, 128 * 244)
    assert pace.step(86_400) > 24
    assert pace.anew().step(86_400) == 1
