"""What a sample draws."""

import numpy as np

from ops.verify.draws import DAY, Grid


def test_all_of_a_small_grid_is_drawn_once() -> None:
    grid = Grid(3_600, [3, 7], [0, 5 * DAY])
    drawn = list(grid.drawn(1, np.random.default_rng(1)))
    wanted = {(member, day + hour * 3_600_000_000) for member in (3, 7) for day in (0, 5 * DAY) for hour in range(24)}
    assert len(drawn) == len(wanted)
    assert set(drawn) == wanted


def test_the_same_seed_draws_the_same_in_the_same_order() -> None:
    grid = Grid(60, range(1, 1_001), [day * DAY for day in range(365)])
    first, second = (list(grid.drawn(100, np.random.default_rng(5))) for _ in range(2))
    assert first == second
    assert first != list(grid.drawn(100, np.random.default_rng(6)))


def test_a_large_grid_is_drawn_evenly_and_no_more_than_is_tried() -> None:
    grid = Grid(60, range(1, 1_001), [day * DAY for day in range(1_000)])
    drawn = list(grid.drawn(1_000, np.random.default_rng(5)))
    assert len(drawn) == len(set(drawn)) == 20_000
    days = np.bincount([bucket // DAY for _, bucket in drawn], minlength=1_000)
    assert days.min() > 0
    assert abs(np.mean([member for member, _ in drawn]) - 500) < 15


def test_nothing_is_drawn_of_nothing() -> None:
    assert list(Grid(60, [], [0]).drawn(10, np.random.default_rng(1))) == []
