"""The folder of one stack: its data, logs and stack.env. PLUMBLINE_HOME names it; by default it is `.local`."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import ConfigurationError

CHECKOUT = Path(__file__).resolve().parents[2]


def default() -> Path:
    """The absolute home of the stack that this call is about."""
    named = os.environ.get("PLUMBLINE_HOME")
    if named:
        return Path(named).expanduser().resolve()
    base = CHECKOUT if (CHECKOUT / "pyproject.toml").exists() else Path.cwd()
    return base / ".local"


def log_file(home: Path, name: str) -> Path:
    return home / "logs" / f"{name}.log"


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """One command at a time changes a stack; the next one waits here until it is done."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / "lock").open("a")
    except OSError as error:
        raise ConfigurationError(
            f"PLUMBLINE_HOME: {home} can't be used ({error.strerror}) → name a folder that you may write to"
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"waiting for another command that is at work in {home}\n")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
