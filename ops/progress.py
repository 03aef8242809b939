"""How far long work is, on standard error: a bar on a terminal, a line now and then off it."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ops.console import console

Advance = Callable[[float], None]  # by so many units of the total

PLAIN_S = 10.0


class _Lines:
    """A line every PLAIN_S seconds; work that is shorter prints none."""

    def __init__(self, what: str, total: float, unit: str) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._started = self._printed = time.monotonic()
        self._done = 0.0

    def __call__(self, units: float) -> None:
        self._done += units
        now = time.monotonic()
        if now - self._printed < PLAIN_S:
            return
        self._printed, rate = now, self._done / (now - self._started)
        left = (self._total - self._done) / rate if rate else float("inf")
        share = self._done / self._total if self._total else 1.0
        line = f"{self._what}: {share:.0%}, {rate:,.0f} {self._unit}/s, {left:,.0f} s left"
        print(line, file=sys.stderr, flush=True)


@contextmanager
def progress(what: str, total: float, unit: str) -> Iterator[Advance]:
    """Shows how much of `total` is done, how fast, and the time that is left."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield _Lines(what, total, unit)
        return
    rate = TextColumn("{task.speed:,.0f} " + unit + "/s")
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda units: bar.advance(task, units)
