from aggregation_service.pace import Pace

M, D = 60, 86_400


def test_pace_starts_small_and_settles_on_the_readings_wanted() -> None:
    pace = Pace(1_000_000, 1_000)
    assert pace.step() == 20  # nothing is known: a device may have 50 a second
    pace.learn(20, 20 * 4_000, 0)  # it is 4 a second
    assert pace.step() == 160  # at most eightfold
    pace.learn(160, 160 * 4_000, 0)
    assert pace.step() == 250
    pace.learn(250, 0, 0)  # nothing there: grow
    assert pace.step() == 2_000
    pace.learn(1, 5_000_000, 0)
    assert pace.step() == 1


def test_pace_knows_nothing_of_a_range_but_its_length() -> None:
    assert (Pace(1_000_000, M).step(), Pace(1_000_000, D).step()) == (333, 1)


def test_rows_weigh_too_where_hardly_a_reading_falls_in_each() -> None:
    pace = Pace(1_000_000, D)
    pace.learn(128, 128 * 5_760, 128 * 5_760)  # a reading a minute and metric
    assert pace.step() == 15
    pace.learn(15, 15 * 5_760, 0)
    assert pace.step() == 120
