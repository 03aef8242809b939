"""Live figures on the terminal, or as plain lines off it."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ops import broker, figures
from shared.errors import PlumblineError

TERMINAL_S = 1.0
PLAIN_S = 5.0


def watch(
    values: Mapping[str, str], token: str, series: Mapping[str, str], seconds: float | None, console: Console
) -> None:
    """Show figures for so many seconds; without end, until Ctrl-C."""
    interval = TERMINAL_S if console.is_interactive else PLAIN_S
    end = time.monotonic() + seconds if seconds is not None else float("inf")
    with broker.connect(values) as kafka, _shown(console) as show:
        before = figures.look(values, kafka, token, series)
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(interval, left))
            try:
                now = figures.look(values, kafka, token, series)
            except PlumblineError as error:  # a server that is away comes back, or the user sees what is wrong
                show({"problem": str(error)})
                continue
            show(figures.lines(before, now, figures.now()))
            before = now


class _Shown:
    """Shows the newest figures in the place of the last on a terminal, below each other off it."""

    def __init__(self, console: Console, screen: Live | None) -> None:
        self._console, self._screen = console, screen

    def __call__(self, lines: Mapping[str, str]) -> None:
        if self._screen is None:
            text = " · ".join(f"{name} {value}" for name, value in lines.items())
            self._console.print(text, markup=False, soft_wrap=True)
            return
        table = Table.grid(padding=(0, 2))
        for name, value in lines.items():
            table.add_row(Text(name, style="bold"), Text(value))
        self._screen.update(table, refresh=True)


@contextmanager
def _shown(console: Console) -> Iterator[_Shown]:
    if not console.is_interactive:
        yield _Shown(console, None)
        return
    with Live(console=console, auto_refresh=False) as screen:
        yield _Shown(console, screen)
