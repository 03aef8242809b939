"""A process from its first line to its exit status."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from shared.deployment import typed
from shared.errors import PlumblineError


@contextmanager
def stop_event() -> Iterator[threading.Event]:
    """An event that SIGTERM or SIGINT sets; a second signal acts as it would have without us."""
    event = threading.Event()

    def stop(signum: int, _frame: FrameType | None) -> None:
        signal.signal(signum, previous[signal.Signals(signum)])
        event.set()

    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in previous:
        signal.signal(number, stop)
    try:
        yield event
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def run(main: Callable[[], int | None]) -> NoReturn:
    """Ends the process with what `main` returns; an error meant for users becomes one message, no stack trace."""
    try:
        status = main() or 0
    except PlumblineError as error:
        sys.stderr.write(f"{typed(str(error))}\n")
        status = error.exit_status
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    sys.stderr.flush()
    sys.stdout.flush()
    sys.exit(status)


def again() -> NoReturn:
    """The same command in the same process, from its first line: what a C library can't let go of is gone."""
    sys.stderr.flush()
    sys.stdout.flush()
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606  it is what was typed
