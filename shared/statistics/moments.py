"""Sums and deviations of many rows at once, accurate whatever the readings' sizes.

Only element-wise operations in a fixed order: numpy's own reductions choose their order by the array's layout, and
then a row's last bit would depend on how many other rows are in the call.

A sum is a pair: its double and what that lacks (`sum + sum_error`). Where a double can't hold the sum, it is ±inf
and the second number is the mean, which a double always holds. A deviation is √(Σ(x − mean)² / n), which a double
always holds too; squares are made of numbers that are scaled by a power of two, so that none over- or underflows.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from shared.statistics.ragged import Floats, Ints

_HUGE = 1e280  # beyond it sums are made of scaled numbers, so that only their result can overflow
_SCALE = 2.0**-64
_SQUARE_EXPONENT = 400  # squares of what lies within 2±⁴⁰⁰ need no scale
_MAX_EXPONENT = 1025  # of a difference of two doubles
_SCALE_EXPONENT = 1000  # of the largest scale: 2⁻¹⁰⁷⁴ needs no more, and 2¹⁰⁷⁴ is no double


class Sums(NamedTuple):
    """Of each row (n): its sum and its mean, both as a double and what that lacks."""

    sum: Floats
    sum_error: Floats
    mean: Floats
    mean_error: Floats


def compensated(rows: Floats) -> Sums:
    """The sums of `rows` (n, m), sorted along axis 1.

    Cost: a handful of passes. Error: about 2⁻¹⁰⁰ of the sum of magnitudes.
    """
    largest = np.maximum(np.abs(rows[:, 0]), np.abs(rows[:, -1]))
    scale = np.where(largest > _HUGE, _SCALE, 1.0)
    high, low = _two_sums(rows * scale[:, None] if (scale != 1.0).any() else rows)
    return _sums(high, low, scale, np.full(len(rows), rows.shape[1]))


def combined(sums: Floats, errors: Floats, count: Ints) -> Sums:
    """The same of pairs: `sums`, `errors` and `count` are (n, members), in any order of members."""
    overflowed = ~np.isfinite(sums)
    scale = np.where((np.abs(sums) > _HUGE).any(axis=1), _SCALE, 1.0)
    with np.errstate(invalid="ignore", under="ignore"):
        high = np.where(overflowed, errors * _SCALE * count, sums * scale[:, None])
    low = np.where(overflowed, 0.0, errors * scale[:, None])
    high, low = _two_sums(np.sort(np.concatenate([high, low], axis=1), axis=1))
    return _sums(high, low, scale, count.sum(axis=1))


def means(sums: Floats, errors: Floats, count: Ints) -> tuple[Floats, Floats]:
    """The means of pairs (n): doubles, and what these lack."""
    overflowed = ~np.isfinite(sums)
    scale = np.where(np.abs(sums) > _HUGE, _SCALE, 1.0)
    high, low = (np.where(overflowed, 0.0, column) * scale for column in (sums, errors))
    mean, rest = _divided(high, low, count)
    return np.where(overflowed, errors, mean / scale), rest / scale


def deviations(rows: Floats, mean: Floats, mean_error: Floats) -> Floats:
    """√(Σ(x − mean)² / m) of each row (n, m), sorted along axis 1."""
    scale = _square_scale(rows[:, 0], rows[:, -1])
    with np.errstate(under="ignore"):
        if (scale != 1.0).any():
            rows, mean, mean_error = rows * scale[:, None], mean * scale, mean_error * scale
        # The mean's second half: readings may lie closer together than a double is to their mean.
        apart = rows - mean[:, None]
        apart -= mean_error[:, None]
        apart *= apart
        return _root(_fold(apart, np.add) / rows.shape[1], scale)


def combined_deviations(
    deviation: Floats, mean: tuple[Floats, Floats], count: Ints, whole: Sums, low: Floats, high: Floats
) -> Floats:
    """The same of rows' parts, by Chan's formula: what isn't of the `whole` is (n, members), in any order of members.

    low, high (n): between them lie all readings of a row.
    """
    scale = _square_scale(low, high)
    with np.errstate(under="ignore"):
        between = mean[0] * scale[:, None] - (whole.mean * scale)[:, None]
        between += (mean[1] - whole.mean_error[:, None]) * scale[:, None]
        within = deviation * scale[:, None]
        terms = np.sort(count * (within * within + between * between), axis=1)
        return _root(_fold(terms, np.add) / count.sum(axis=1), scale)


def _square_scale(low: Floats, high: Floats) -> Floats:
    """For each row whose values lie in low … high, the power of two that makes squares of differences fit."""
    with np.errstate(over="ignore"):
        spread = high - low
    exponent = np.where(np.isinf(spread), _MAX_EXPONENT, np.frexp(spread)[1])
    return np.where(np.abs(exponent) < _SQUARE_EXPONENT, 1.0, np.ldexp(1.0, np.minimum(-exponent, _SCALE_EXPONENT)))


def _root(mean_square: Floats, scale: Floats) -> Floats:
    """Half the range of doubles is the most it can be; rounding must not make it infinite."""
    with np.errstate(over="ignore"):
        return np.minimum(np.sqrt(mean_square) / scale, np.finfo(np.float64).max)


def _sums(high: Floats, low: Floats, scale: Floats, count: Ints) -> Sums:
    """Of sums high + low of numbers that were multiplied by `scale`."""
    total = high + low
    rest = low - (total - high)
    mean, mean_error = _divided(total, rest, count)
    with np.errstate(over="ignore", under="ignore"):
        wide, mean = total / scale, mean / scale
        return Sums(wide, np.where(np.isfinite(wide), rest / scale, mean), mean, mean_error / scale)


def _divided(total: Floats, rest: Floats, count: Ints) -> tuple[Floats, Floats]:
    """(total + rest) / count as a pair; |total| below 1e290."""
    with np.errstate(under="ignore"):
        mean = total / count
        product, error = _product(mean, count.astype(np.float64))
        return mean, ((total - product) - error + rest) / count


def _product(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """left · right, and what the double lacks (Dekker)."""
    product = left * right
    (a, b), (c, d) = _split(left), _split(right)
    return product, ((a * c - product) + a * d + b * c) + b * d


def _split(values: Floats) -> tuple[Floats, Floats]:
    """Halves of 26 bits (Veltkamp)."""
    wide = values * 134_217_729.0  # 2²⁷ + 1
    high = wide - (wide - values)
    return high, values - high


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
