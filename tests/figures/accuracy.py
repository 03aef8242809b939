"""True rank error against size, for the distributions that design.md names, beside what answers claim."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import FuncFormatter

from shared.statistics import Partials, merge, quantiles
from tests.figures.style import BLUE, INK, RED, drawing
from tests.unit.statistics.samples import DISTRIBUTIONS, rolled

NAMED = ("normal", "lognormal", "spiky", "constant", "1013 ± 2", "around zero")
SIZES = (500, 1_000, 1_900, 2_500, 5_000, 10_000, 30_000, 86_400, 300_000)
ASKED = np.array([*np.arange(1, 100) / 100, 0.001, 0.3333, 0.66667, 0.995, 0.999])
PARTS = 24
LIMIT = 0.005


@dataclass(frozen=True)
class Curve:
    """Of a distribution, by size: the worst true rank error, and the worst that the answers claim."""

    true: list[float]
    claimed: list[float]


def measure() -> dict[bool, dict[str, Curve]]:
    """Curves by distribution: of one stored bucket (False), and of one that is merged from PARTS (True)."""
    return {merged: {name: _curve(name, merged) for name in NAMED} for merged in (False, True)}


def _curve(name: str, merged: bool) -> Curve:
    true, claimed = [], []
    for size in SIZES:
        values = DISTRIBUTIONS[name](np.random.default_rng(size), size)
        answers, errors = quantiles(_merged(values) if merged else rolled(values), ASKED)
        true.append(round(worst(np.sort(values), answers[0]), 5))
        claimed.append(round(float(errors.max()), 5))
    return Curve(true, claimed)


def _merged(values: npt.NDArray[np.float64]) -> Partials:
    """As a day that is made of hours, with a trend: each part holds other values than the next."""
    ordered = values[np.argsort(np.argsort(values) + np.random.default_rng(1).normal(0, len(values) / 4, len(values)))]
    return merge([rolled(part) for part in np.array_split(ordered, PARTS)])


def worst(ordered: npt.NDArray[np.float64], answers: npt.NDArray[np.float64]) -> float:
    """The largest distance between what was asked and the ranks that an answer has, of 0…1."""
    low, high = _rank(ordered, answers, "left"), _rank(ordered, answers, "right")
    return float(np.max(np.maximum(0.0, np.maximum(ASKED - high, low - ASKED))))


def _rank(ordered: npt.NDArray[np.float64], answers: npt.NDArray[np.float64], side: str) -> npt.NDArray[np.float64]:
    """Where percentile_cont gives this answer: the first such rank (left), or the last (right)."""
    last = len(ordered) - 1
    slack = 1e-12 * np.abs(answers)
    if side == "left":
        above = np.clip(np.searchsorted(ordered, answers - slack, "left"), 1, last)
    else:
        above = np.clip(np.searchsorted(ordered, answers + slack, "right"), 1, last)
    low, high = ordered[above - 1], ordered[above]
    part = np.clip((answers - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    return np.asarray((above - 1 + np.where(high > low, part, 1.0 if side == "right" else 0.0)) / last)


def draw(curves: dict[bool, dict[str, Curve]], path: Path) -> None:
    """A panel a distribution, one scale."""
    ways = {False: (BLUE, "one stored bucket"), True: (RED, f"merged from {PARTS} buckets")}
    with drawing(path, 9.2, 5.2, 2, 3, sharex=True, sharey=True) as axes:
        for axis, name in zip(axes.flat, NAMED, strict=True):
            for merged, (colour, label) in ways.items():
                curve = curves[merged][name]
                axis.plot(SIZES, 100 * np.array(curve.claimed), "--", color=colour, lw=1.2, label=f"{label}: claimed")
                axis.plot(SIZES, 100 * np.array(curve.true), "o-", color=colour, ms=3.5, lw=1.4, label=f"{label}: true")
            axis.axhline(100 * LIMIT, color=INK, lw=1)
            axis.set_xscale("log")
            axis.set_ylim(-0.015, 0.54)
            axis.set_title(name, loc="left")
            axis.xaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
        axes[0][0].annotate("never more than 0.5 %", (SIZES[0], 100 * LIMIT), (0, -11), textcoords="offset points")
        axes[0][1].legend(loc="upper left", bbox_to_anchor=(0.0, 0.9))
        for axis in axes[1]:
            axis.set_xlabel("readings in the answer")
        for axis in axes[:, 0]:
            axis.set_ylabel("rank error (% of readings)")
