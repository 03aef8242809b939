"""Live figures on the terminal, or as plain lines off it."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ops import broker, figures
from shared.deployment import typed
from shared.errors import PlumblineError

TERMINAL_S = 1.0
PLAIN_S = 5.0


def watch(
    values: Mapping[str, str], token: str, series: Mapping[str, str], seconds: float | None, console: Console
) -> None:
    """Show figures for so many seconds; without end, until Ctrl-C."""
    interval = TERMINAL_S if console.is_interactive else PLAIN_S
    end = time.monotonic() + seconds if seconds is not None else float("inf")
    with broker.connect(values) as kafka, screen(console) as show:
        before = figures.look(values, kafka, token, series)
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(interval, left))
            try:
                now = figures.look(values, kafka, token, series)
            except PlumblineError as error:  # a server that is away comes back, or the user sees what is wrong
                _show(show, {"problem": typed(str(error))})
                continue
            _show(show, figures.lines(before, now, figures.now()))
            before = now


def _show(show: "_Screen", lines: Mapping[str, str]) -> None:
    table = Table.grid(padding=(0, 2))
    for name, value in lines.items():
        table.add_row(Text(name, style="bold"), Text(value))
    show(table, " · ".join(f"{name} {value}" for name, value in lines.items()))


class _Screen:
    """Shows a picture in the place of the last on a terminal, a line below the last off it."""

    def __init__(self, console: Console, live: Live | None) -> None:
        self._console, self._live = console, live

    def __call__(self, picture: RenderableType, line: str) -> None:
        if self._live is None:
            self._console.print(line, markup=False, soft_wrap=True)
        else:
            self._live.update(picture, refresh=True)


@contextmanager
def screen(console: Console) -> Iterator[_Screen]:
    """What changes, on a terminal or off it."""
    if not console.is_interactive:
        yield _Screen(console, None)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield _Screen(console, live)
