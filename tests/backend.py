"""What tests ask of the servers under them, be these processes (embedded.py) or containers (contained.py)."""

import re
import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Protocol

ENDS = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGKILL})


class Stack(Protocol):
    """Servers that run. A part is `kafka` or `postgres`; paths and process ids are those that the part itself sees."""

    values: Mapping[str, str]  # the variables of stack.env

    def start(self, part: str) -> None:
        """Starts one that has ended again, on its port and with its data, and waits until it answers."""

    def send(self, part: str, number: signal.Signals) -> None:
        """Sends its first process a signal; after one of ENDS, waits until all of it has ended."""

    def up(self, part: str) -> bool:
        """Whether its first process runs."""

    def log(self, part: str) -> str:
        """What it has logged."""

    def kill(self, part: str, pid: int) -> None:
        """kill -9 of one of its processes."""

    def data(self, part: str) -> PurePath:
        """The folder of its data. Files beside it are kept as long as the data is."""

    def shell(self, part: str, script: str, *arguments: object) -> None:
        """Runs a script with $1, $2, … among its files, whether it runs or not, by a user who may do all."""

    def disk(self, part: str, mib: int) -> AbstractContextManager[PurePath]:
        """A file system for the block, so large and the part's own; begins and ends while it runs.

        Raises:
            PermissionError: this machine's user may not mount one.
        """


class Run(Protocol):
    """Runs these parts for the block; `home` is a folder for what the stack needs on this machine."""

    def __call__(self, home: Path, parts: Sequence[str]) -> AbstractContextManager[Stack]: ...


@dataclass(frozen=True)
class Backend:
    """Where servers come from; `versions` has a part's, and where it is from. `started` counts those that ran."""

    name: str
    versions: Mapping[str, str]
    _run: Run
    started: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def stack(self, home: Path, parts: Sequence[str]) -> Iterator[Stack]:
        """Servers that run for the block only, on ports of their own."""
        with self._run(home, parts) as running:
            self.started.update(parts)
            yield running

    def __str__(self) -> str:
        return f"{self.name}: {', '.join(self.versions.values())}"


def save(stack: Stack, part: str) -> None:
    """Keeps a copy of the data of a part that is stopped, one at a time."""
    data = stack.data(part)
    stack.shell(part, 'rm -rf "$2"; cp -a "$1" "$2"', data, data.with_name("saved"))


def restore(stack: Stack, part: str) -> None:
    """Puts the copy in the place of the data."""
    data = stack.data(part)
    stack.shell(part, 'rm -rf "$2"; cp -a "$1" "$2"', data.with_name("saved"), data)


def kafka_version(jars: Iterable[str]) -> str:
    """The broker's version, by the names of its jars."""
    [version] = [found[1] for name in jars if (found := re.fullmatch(r"kafka-server-(\d[\d.]*)\.jar", name))]
    return version


def postgres_version(shown: str) -> str:
    """The server's version, by what `postgres --version` prints: postgres (PostgreSQL) 18.4 (Debian …)."""
    found = re.search(r"\(PostgreSQL\) (\S+)", shown)
    assert found, shown
    return found[1]
