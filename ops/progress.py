"""How far long work is, on standard error: a bar on a terminal, a line now and then off it."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ops.console import console

PLAIN_S = 10.0


class Advance(Protocol):
    """Says that so many units of the total are done, and how many things they held: the rate is of these."""

    def __call__(self, units: float, held: float) -> None: ...


class _Lines:
    """A line every PLAIN_S seconds; work that is shorter prints none."""

    def __init__(self, what: str, total: float, things: str) -> None:
        self._what, self._total, self._things = what, total, things
        self._started = self._printed = time.monotonic()
        self._done = self._held = 0.0

    def __call__(self, units: float, held: float) -> None:
        self._done += units
        self._held += held
        now = time.monotonic()
        if now - self._printed < PLAIN_S:
            return
        self._printed, seconds = now, now - self._started
        left = seconds * (self._total / self._done - 1)
        share, rate = self._done / self._total, self._held / seconds
        line = f"{self._what}: {share:.0%}, {rate:,.0f} {self._things}/s, {left:,.0f} s left"
        print(line, file=sys.stderr, flush=True)


@contextmanager
def progress(what: str, total: float, things: str) -> Iterator[Advance]:
    """Shows how much of `total` is done, how many `things` a second, and the time that is left."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield _Lines(what, total, things)
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task(what, total=total, rate="")
        started, all_held = time.monotonic(), 0.0

        def advance(units: float, held: float) -> None:
            nonlocal all_held
            all_held += held
            rate = all_held / max(0.001, time.monotonic() - started)
            bar.update(task, advance=units, rate=f"{rate:,.0f} {things}/s")

        yield advance
