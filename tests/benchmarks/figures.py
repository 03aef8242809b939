"""Figures of a benchmark, and how they are told: JSON lines on stdout, progress on stderr."""

import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

MIB = 1 << 20


def percentile(sorted_values: Sequence[float], percent: float) -> float:
    """The least value that at least `percent` % don't exceed (nearest rank)."""
    rank = -(-percent * len(sorted_values) // 100)
    return sorted_values[max(0, int(rank) - 1)]


def spread(values: Sequence[float]) -> float:
    """How far the values lie apart, in parts of their median: the noise of this run."""
    return round((max(values) - min(values)) / median(values), 3)


def beside(limits: Sequence[float], values: Sequence[float]) -> list[float]:
    """Each value in parts of what was measured just before and just after it; limits are one more than values."""
    around = pairwise(limits)
    return [value / ((before + after) / 2) for value, (before, after) in zip(values, around, strict=True)]


def say(text: str) -> None:
    """Progress."""
    print(f"  {text}", file=sys.stderr, flush=True)


def report(lines: Sequence[dict[str, object]]) -> int:
    """Prints one JSON line each; the exit status: 1 if a line missed its limit."""
    for line in lines:
        print(json.dumps(line), flush=True)
    return int(any(line.get("ok") is False for line in lines))
