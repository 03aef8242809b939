"""Sums and squared deviations of many rows at once, accurate whatever the readings' sizes.

Only element-wise operations in a fixed order: numpy's own reductions choose their order by the array's layout, and
then a row's last bit would depend on how many other rows are in the call.

A sum is a pair: its double and what that lacks (`sum + sum_error`). Where a double can't hold the sum, it is ±inf
and the second number is the mean, which a double always holds.
"""

from collections.abc import Callable

import numpy as np

from shared.statistics.ragged import Floats, Ints

_HUGE = 1e280  # beyond it sums are made of scaled numbers, so that only their result can overflow
_SCALE = 2.0**-64


def compensated(rows: Floats) -> tuple[Floats, Floats, Floats]:
    """(sum, sum_error, mean) of each row of `rows` (n, m), sorted along axis 1.

    Cost: a handful of passes. Error: about 2⁻¹⁰⁰ of the sum of magnitudes.
    """
    largest = np.maximum(np.abs(rows[:, 0]), np.abs(rows[:, -1]))
    scale = np.where(largest > _HUGE, _SCALE, 1.0)
    return _pairs(rows * scale[:, None] if (scale != 1.0).any() else rows, scale, rows.shape[1])


def combined(sums: Floats, errors: Floats, count: Ints) -> tuple[Floats, Floats, Floats]:
    """The same of pairs: `sums`, `errors` and `count` are (n, members), in any order of members."""
    overflowed = ~np.isfinite(sums)
    scale = np.where((np.abs(sums) > _HUGE).any(axis=1), _SCALE, 1.0)
    with np.errstate(invalid="ignore", under="ignore"):
        high = np.where(overflowed, errors * _SCALE * count, sums * scale[:, None])
    low = np.where(overflowed, 0.0, errors * scale[:, None])
    rows = np.sort(np.concatenate([high, low], axis=1), axis=1)
    return _pairs(rows, scale, count.sum(axis=1))


def squared_deviations(rows: Floats, mean: Floats) -> Floats:
    """Σ(x − mean)² of each row; inf where a double can't hold it."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        deviation = rows - mean[:, None]
        # Two-pass: the second term takes out what the rounded mean is off by.
        off = _fold(deviation, np.add)
        return _inf_for_nan(np.maximum(_fold(deviation * deviation, np.add) - off * off / rows.shape[1], 0.0))


def combined_deviations(m2: Floats, means: Floats, count: Ints, mean: Floats) -> Floats:
    """The same of rows' parts (n, members), by Chan's formula; `mean` is the whole's."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        between = means - mean[:, None]
        terms = np.sort(m2 + count * between * between, axis=1)
        return _inf_for_nan(_fold(terms, np.add))


def _pairs(rows: Floats, scale: Floats, count: Ints | int) -> tuple[Floats, Floats, Floats]:
    high, low = _two_sums(rows)
    total = high + low
    with np.errstate(over="ignore", under="ignore"):
        mean = total / count / scale
        wide, rest = total / scale, (low - (total - high)) / scale
    return wide, np.where(np.isfinite(wide), rest, mean), mean


def _two_sums(rows: Floats) -> tuple[Floats, Floats]:
    """Each row's sum, and the rounding errors that were made on the way (Knuth's TwoSum), by halves."""
    errors: Floats | None = None
    while rows.shape[1] > 1:
        half = (rows.shape[1] + 1) // 2
        left, right = rows[:, :half], _padded(rows[:, half:], half)
        total = left + right
        virtual = total - left
        error = (left - (total - virtual)) + (right - virtual)
        if errors is not None:
            error = error + (errors[:, :half] + _padded(errors[:, half:], half))
        rows, errors = total, error
    return rows[:, 0], errors[:, 0] if errors is not None else np.zeros(len(rows))


def _fold(rows: Floats, add: Callable[[Floats, Floats], Floats]) -> Floats:
    while rows.shape[1] > 1:
        half = (rows.shape[1] + 1) // 2
        rows = add(rows[:, :half], _padded(rows[:, half:], half))
    return rows[:, 0]


def _padded(rows: Floats, width: int) -> Floats:
    return rows if rows.shape[1] == width else np.pad(rows, ((0, 0), (0, width - rows.shape[1])))


def _inf_for_nan(values: Floats) -> Floats:
    return np.where(np.isnan(values), np.inf, values)
