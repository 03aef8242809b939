"""Distributions that percentiles must be good on, and a reference for their rank error."""

from collections.abc import Callable

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


def rank_error(values: Floats, answer: float, fraction: float) -> float:
    """The least e with cont(p−e) ≤ x ≤ cont(p+e), from all values."""
    ordered = np.sort(values)
    last = len(ordered) - 1
    below = np.searchsorted(ordered, answer, side="left")  # cont reaches the answer here at the earliest …
    above = np.searchsorted(ordered, answer, side="right") - 1  # … and leaves it here at the latest
    if below <= above:  # the answer is a value
        earliest, latest = float(below), float(above)
    else:
        low, high = ordered[above], ordered[below]
        earliest = latest = above + (answer / 2 - low / 2) / (high / 2 - low / 2)
    wanted = fraction * last
    return max(0.0, earliest - wanted, wanted - latest) / last
