"""The draws of a sample that hold something."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import numpy as np

from ops.store import Connection
from ops.verify import store
from ops.verify.draws import Grid
from ops.verify.frame import Frame

AT_ONCE = 1_000  # draws at most that are asked about together
Draw = tuple[int, int]  # a device or metric, and a bucket in µs since 1970


def of_devices(
    connection: Connection, known: Frame, asked: tuple[int, int], random: np.random.Generator
) -> Iterator[Draw]:
    """(device, bucket) of a level that is stored, with events or rows; `asked`: the level, and how many at most."""
    level, wanted = asked
    grid = Grid(level, list(known.devices), known.days)
    draws = (draw for draw in grid.drawn(wanted, random) if known.covers(level, known.levels[level], draw[1]))
    return _holding(draws, wanted, partial(store.holding, connection, known.piece(0, 0, []), level))


def of_fleet(
    connection: Connection, known: Frame, asked: tuple[int, int], random: np.random.Generator
) -> Iterator[Draw]:
    """(metric, bucket) of a level that is stored across devices, with rows; `asked` as above."""
    level, wanted = asked
    grid = Grid(level, list(known.metrics), known.days)
    draws = (draw for draw in grid.drawn(wanted, random) if known.covers(level, known.fleet[level], draw[1]))
    return _holding(
        draws, wanted, partial(store.fleet_holding, connection, known.piece(0, 0, list(known.devices)), level)
    )


def _holding(draws: Iterator[Draw], wanted: int, holding: Callable[[list[Draw]], list[int]]) -> Iterator[Draw]:
    """The first `wanted` of the draws that hold something; it is asked for many at once."""
    left = wanted
    # Where most draws hold something, one round is enough; where few do, more are asked about at once.
    size = min(AT_ONCE, wanted + 10)
    while left and (batch := list(islice(draws, size))):
        size = min(AT_ONCE, 2 * size)
        for number in holding(batch)[:left]:
            left -= 1
            yield batch[number]
