from aggregation_service.pace import Pace


def test_pace_starts_small_and_settles_on_the_readings_wanted() -> None:
    pace = Pace(1_000_000)
    assert pace.step(1_000) == 1  # nothing is known: a device may hold more than fits in memory many times over
    pace = pace.after(1, 1_000, 4_000)  # 4 readings a second
    assert pace.step(1_000) == 8  # at most eightfold
    pace = pace.after(128, 1_000, 128 * 4_000)
    assert pace.step(1_000) == 250
    assert pace.step(100_000) == 2
    assert pace.step(10_000_000) == 1
    assert pace.after(250, 1_000, 0).step(1_000) == 2_000  # nothing there: grow
