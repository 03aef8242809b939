"""How commands print: JSON for programs, tables for people, no control codes off a terminal."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.moments import rfc3339
from shared.deployment import typed

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the log.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]

COLOURS = {
    "running": "green",
    "ok": "green",
    "stopped": "dim",
    "note": "yellow",
    "not ready": "yellow",
    "not answering": "red",
    "pending": "yellow",
    "firing": "red",
    "broken": "red",
    "retention_overtook": "red",
    "truncated": "red",
    "topic_recreated": "red",
    "topic_gone": "red",
}


def console(*, stderr: bool = False) -> Console:
    """Standard output, or error; off a terminal as wide as its lines are."""
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, width=None if terminal else 400, highlight=False)


def progress(as_json: bool) -> Callable[[str], None]:
    """Where a command's progress goes: out of the way of JSON."""
    stream = sys.stderr if as_json else sys.stdout

    def say(line: str) -> None:
        with suppress(BrokenPipeError):  # the work goes on when nobody listens any more (`plumbline up | head -1`)
            print(line, file=stream, flush=True)

    return say


def tell(text: str) -> None:
    """A line for people, with its commands as they are typed where this runs."""
    print(typed(text))


def print_json(value: Any) -> None:
    """One JSON document on standard output, as `json_text` has it."""
    sys.stdout.write(json_text(value) + "\n")


def json_text(value: Any, indent: int | None = 2) -> str:
    """Times are RFC 3339, what else JSON lacks is printed as text."""
    return json.dumps(value, indent=indent, default=_json)


def _json(value: Any) -> str:
    return rfc3339(value) if isinstance(value, datetime) else str(value)


def print_rows(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Rows of the same keys, as a list of objects or as a table with the keys as header."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        print("none")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0]:
        table.add_column(name, overflow="fold", justify="right" if _numeric(rows[0][name]) else "left")
    for row in rows:
        table.add_row(*(cell(value) for value in row.values()))
    console().print(table)


def _numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def cell(value: Any) -> Text:
    """A table's cell, in the colour of the state that it names."""
    shown = "" if value is None else str(value)
    return Text(shown, style=COLOURS.get(shown, ""))
