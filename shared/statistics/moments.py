"""Sums and deviations of many rows at once, accurate whatever the readings' sizes.

Only additions that need no rounding, and element-wise ones in a fixed order: numpy's own reductions choose their order
by the array's layout, and then a row's last bit would depend on how many other rows are in the call.

A sum is a pair: its double and what that lacks (`sum + sum_error`). Where a double can't hold the sum, it is ±inf
and the second number is the mean, which a double always holds. A deviation is √(Σ(x − mean)² / n), which a double
always holds too; squares are made of numbers that are scaled by a power of two, so that none over- or underflows.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from shared.statistics.ragged import Floats, Ints

_HUGE = 1e280  # beyond it sums are made of scaled numbers, so that only their result can overflow
_SCALE = 2.0**-64
_LARGEST = np.finfo(np.float64).max
_SQUARE_EXPONENT = 400  # squares of what lies within 2±⁴⁰⁰ need no scale
_PLAIN = 2.0 ** (1 - _SQUARE_EXPONENT), 2.0 ** (_SQUARE_EXPONENT - 1)
_MAX_EXPONENT = 1025  # of a difference of two doubles
_SCALE_EXPONENT = 1000  # of the largest scale: 2⁻¹⁰⁷⁴ needs no more, and 2¹⁰⁷⁴ is no double


class Sums(NamedTuple):
    """Of each row (n): its sum and its mean, both as a double and what that lacks."""

    sum: Floats
    sum_error: Floats
    mean: Floats
    mean_error: Floats


def compensated(rows: Floats) -> Sums:
    """The sums of `rows` (n, m), sorted along axis 1: what is off is 2⁻¹⁰⁵ of the sum, whatever cancels out."""
    largest = np.maximum(np.abs(rows[:, 0]), np.abs(rows[:, -1]))
    scale = np.where(largest > _HUGE, _SCALE, 1.0)
    if (largest > _HUGE).any():
        rows, largest = rows * scale[:, None], largest * scale
    return _sums(rows, largest, scale, np.array(rows.shape[1]))


def combined(sums: Floats, errors: Floats, count: Ints) -> Sums:
    """The same of pairs: `sums`, `errors` and `count` are (n, members), in any order of members."""
    overflowed = ~np.isfinite(sums)
    scale = np.where((np.abs(sums) > _HUGE).any(axis=1), _SCALE, 1.0)
    with np.errstate(invalid="ignore"):
        high = np.where(overflowed, errors * _SCALE * count, sums * scale[:, None])
    rows = np.concatenate([high, np.where(overflowed, 0.0, errors * scale[:, None])], axis=1)
    return _sums(rows, np.abs(rows).max(axis=1), scale, count.sum(axis=1))


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
    if (scale != 1.0).any():
        rows, mean, mean_error = rows * scale[:, None], mean * scale, mean_error * scale
    # The mean's second half: readings may lie closer together than a double is to their mean.
    apart = rows - mean[:, None]
    apart -= mean_error[:, None]
    apart *= apart
    return _root(_fold(apart) / rows.shape[1], scale)


def combined_deviations(
    deviation: Floats, mean: tuple[Floats, Floats], count: Ints, whole: Sums, low: Floats, high: Floats
) -> Floats:
    """The same of rows' parts, by Chan's formula: what isn't of the `whole` is (n, members), in any order of members.

    low, high (n): between them lie all readings of a row.
    """
    scale = _square_scale(low, high)
    between = mean[0] * scale[:, None] - (whole.mean * scale)[:, None]
    between += (mean[1] - whole.mean_error[:, None]) * scale[:, None]
    within = deviation * scale[:, None]
    terms = count * (within * within + between * between)
    terms.sort(axis=1)
    return _root(_fold(terms) / count.sum(axis=1), scale)


def _square_scale(low: Floats, high: Floats) -> Floats:
    """For each row whose values lie in low … high, the power of two that makes squares of differences fit."""
    with np.errstate(over="ignore"):
        spread = high - low
    if _PLAIN[0] < spread.min() and spread.max() < _PLAIN[1]:
        return np.ones(len(spread))
    exponent = np.where(np.isinf(spread), _MAX_EXPONENT, np.frexp(spread)[1])
    return np.where(np.abs(exponent) < _SQUARE_EXPONENT, 1.0, np.ldexp(1.0, np.minimum(-exponent, _SCALE_EXPONENT)))


def _root(mean_square: Floats, scale: Floats) -> Floats:
    """Half the range of doubles is the most it can be; rounding must not make it infinite."""
    with np.errstate(over="ignore"):
        return np.minimum(np.sqrt(mean_square) / scale, _LARGEST)


def _sums(rows: Floats, largest: Floats, scale: Floats, count: Ints) -> Sums:
    """Of rows (n, m) that were multiplied by `scale`, with these largest magnitudes then, and of so many readings."""
    high, low = _two_sum(*_exact(rows, np.frexp(largest)[1]))
    mean, mean_error = _divided(high, low, count)
    with np.errstate(over="ignore"):
        wide, mean = high / scale, mean / scale
        return Sums(wide, np.where(np.isfinite(wide), low / scale, mean), mean, mean_error / scale)


def _divided(total: Floats, rest: Floats, count: Ints) -> tuple[Floats, Floats]:
    """(total + rest) / count as a pair; |total| below 1e290."""
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


def _exact(rows: Floats, exponent: npt.NDArray[np.int32]) -> tuple[Floats, Floats]:
    """Each row's sum as two doubles; the numbers of row n lie within ±2^exponent[n].

    Of each number that part is taken off which adds up with those of the row's other numbers without any rounding, so
    in any order, until nothing is left (Rump's extraction): usually twice.
    """
    exponent = exponent + rows.shape[1].bit_length()
    cut = np.ldexp(1.5, exponent)[:, None]
    part = rows + cut
    part -= cut
    high, low = part.sum(axis=1), np.zeros(len(rows))
    rows = rows - part
    left = np.flatnonzero(rows.any(axis=1))
    if len(left):
        more, rest = _exact(rows if len(left) == len(rows) else rows[left], exponent[left] - 53)
        high[left], lacking = _two_sum(high[left], more)
        low[left] = lacking + rest
    return high, low


def _two_sum(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """left + right, and what the double lacks (Knuth)."""
    total = left + right
    virtual = total - left
    return total, (left - (total - virtual)) + (right - virtual)


def _fold(rows: Floats) -> Floats:
    """Each row's sum, by halves; `rows` are used up."""
    count = rows.shape[1]
    while count > 1:
        half = (count + 1) // 2
        rows[:, : count - half] += rows[:, half:count]
        count = half
    return rows[:, 0]
