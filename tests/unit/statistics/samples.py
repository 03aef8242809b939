"""Distributions that percentiles must be good on, and a reference for their rank error."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from shared.statistics import Partials, rollup

Floats = npt.NDArray[np.float64]
Generator = np.random.Generator

DISTRIBUTIONS: dict[str, Callable[[Generator, int], Floats]] = {
    "normal": lambda g, n: g.normal(size=n),
    "lognormal": lambda g, n: g.lognormal(0, 2, size=n),
    "spiky": lambda g, n: np.where(g.random(n) < 0.9, g.integers(0, 5, n), g.normal(2, 3, n)).astype(np.float64),
    "constant": lambda _, n: np.full(n, 36.6),
    "1013 ± 2": lambda g, n: 1013 + g.uniform(-2, 2, n),
    "around zero": lambda g, n: g.normal(0, 1e-3, n) * g.integers(0, 2, n),
    "1e-300…1e300": lambda g, n: 10.0 ** g.uniform(-300, 300, n) * g.choice([-1.0, 1.0], n),
    "two spikes": lambda g, n: np.where(g.random(n) < 0.995, -1.0, 1e12),
    "ties": lambda g, n: np.round(g.normal(0, 3, n)),
    "subnormal": lambda g, n: g.integers(-9, 9, n).astype(np.float64) * 2.0**-1040,
    "far jump": lambda g, n: np.where(g.random(n) < 0.5, g.normal(0, 1, n), g.normal(1e9, 1, n)),
}


def bucket_at(second: int) -> np.datetime64:
    return np.datetime64(second * 1_000_000, "us")


def rolled(values: Floats, device: int = 1, metric: int = 1, second: int = 0) -> Partials:
    """One row of these values."""
    n = len(values)
    return rollup(
        np.full(n, device, np.int32), np.full(n, metric, np.int32), np.full(n, bucket_at(second)), np.asarray(values)
    )


def exact_stddev(values: Sequence[float]) -> float:
    """The sample standard deviation by exact arithmetic; NaN below two values and where a double can't hold it."""
    if len(values) < 2:
        return math.nan
    exact = [Fraction(value) for value in values]
    mean = sum(exact, Fraction(0)) / len(exact)
    variance = sum(((value - mean) ** 2 for value in exact), Fraction(0)) / (len(exact) - 1)
    # An integer root of 128 bits.
    shift = 128 - (variance.numerator.bit_length() - variance.denominator.bit_length()) // 2
    root = Fraction(math.isqrt(int(variance * Fraction(4) ** shift))) / Fraction(2) ** shift
    try:
        return float(root)
    except OverflowError:
        return math.nan


def rank_error(values: Floats, answer: float, fraction: float) -> float:
    """The least e with cont(p−e) ≤ x ≤ cont(p+e), from all values; an answer may be rounded in its last bits."""
    ordered = np.sort(values)
    slack = 2 * np.spacing(abs(answer))
    wanted = fraction * (len(ordered) - 1)
    too_high = _rank(ordered, answer - slack, "left") - wanted
    too_low = wanted - _rank(ordered, answer + slack, "right")
    return max(0.0, too_high, too_low) / (len(ordered) - 1)


def _rank(ordered: Floats, answer: float, side: Literal["left", "right"]) -> float:
    """Where cont, of sorted values, first (left) or last (right) shows the answer."""
    below = int(np.searchsorted(ordered, answer, side="left"))
    above = int(np.searchsorted(ordered, answer, side="right")) - 1
    if below <= above:  # it is a value
        return float(below if side == "left" else above)
    if above < 0 or below == len(ordered):  # it lies outside
        return float(max(above, 0))
    low, high = ordered[above], ordered[below]
    return float(above + (answer / 2 - low / 2) / (high / 2 - low / 2))
