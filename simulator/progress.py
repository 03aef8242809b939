"""How far a run is: a bar on a terminal, a plain line every few seconds elsewhere; always on stderr."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

LINE_EVERY_S = 5.0


class Shows(Protocol):
    """Told after each chunk."""

    def __call__(self, done: int) -> None:
        """`done` events so far."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:,.0f} events/s", style="progress.data.speed")


class _Status(ProgressColumn):
    def __init__(self, status: Callable[[], str]) -> None:
        super().__init__()
        self._status = status

    def render(self, task: Task) -> Text:  # noqa: ARG002  the base class's
        return Text(self._status().removeprefix("; "))


class _Lines:
    def __init__(self, total: int | None, every_s: float, status: Callable[[], str]) -> None:
        self._of = "" if total is None else f" of {total:,}"
        self._every_s = every_s
        self._status = status
        self._began = self._last = time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._last >= self._every_s:
            self._last = now
            rate = done / (now - self._began)
            sys.stderr.write(f"sent {done:,}{self._of} events, {rate:,.0f}/s on average{self._status()}\n")
            sys.stderr.flush()


@contextmanager
def progress(total: int | None, *, quiet: bool = False, status: Callable[[], str] = lambda: "") -> Iterator[Shows]:
    """Shows progress towards `total` events (None: without end), and `status`, until the block ends."""
    if quiet or not sys.stderr.isatty():
        yield _Lines(total, math.inf if quiet else LINE_EVERY_S, status)
    else:
        columns = (
            TextColumn("sending"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeElapsedColumn(),
            TimeRemainingColumn(), _Status(status),
        )  # fmt: skip
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("sending", total=total)
            yield lambda done: bar.update(task, completed=done)
