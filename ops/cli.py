"""`plumbline`: the operator's command line."""

import signal
from types import FrameType
from typing import NoReturn

import typer

from ops import (
    backfill,
    bundle,
    clients,
    demo,
    dlq,
    doctor,
    keys,
    missing,
    offsets,
    reconcile,
    stack,
    status,
    tail,
    token,
    trace,
    verify,
    wait,
    watch,
)
from shared import lifecycle
from shared.errors import PlumblineError

app = typer.Typer(
    name="plumbline",
    help="Run, watch and check the telemetry pipeline. PLUMBLINE_HOME names the stack (default: .local).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_WATCHING = (demo, stack, status, watch, wait, tail, missing, doctor, bundle)
_DECIDING = (token, keys, clients, offsets, reconcile, verify, backfill, dlq, trace)
for module in (*_WATCHING, *_DECIDING):
    module.register(app)


def main() -> NoReturn:
    """Run the command that the arguments name; a hang-up or SIGTERM ends it as Ctrl-C does, with its clean-up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    lifecycle.run(_run)


def _run() -> None:
    try:
        app(prog_name="plumbline")
    except OSError as error:  # a full disk, a file of another user's: the message names it, a trace wouldn't help
        raise PlumblineError(f"{error} → plumbline doctor") from error


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
