"""The simulator's container as a sender that keeps account of what was accepted."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.compose import cli
from tests.compose.stack import Stack

# What it hasn't had confirmed at the end, it tries to have confirmed for so long.
_ENDS_S = 90


@dataclass
class Simulator:
    """A run in a container of its own. `summary`: its --json, once it has ended."""

    name: str
    _process: subprocess.Popen[str]
    summary: dict[str, Any] | None = None

    def stop(self) -> dict[str, Any]:
        """Ends it with SIGTERM; its summary, which it has when everything was confirmed."""
        if self.summary is None:
            with suppress(AssertionError):  # it may have ended, and been removed
                cli.docker("stop", "-t", str(_ENDS_S), self.name)
            self.wait()
        assert self.summary is not None
        return self.summary

    def wait(self, timeout_s: float = 180) -> dict[str, Any]:
        """Its summary, once it has ended by itself."""
        shown, said = self._process.communicate(timeout=timeout_s)
        assert self._process.returncode == 0, f"the simulator: exit status {self._process.returncode}\n{said[-3_000:]}"
        summary: dict[str, Any] = json.loads(shown)
        self.summary = summary
        return summary


@contextmanager
def simulator(stack: Stack, prefix: str, *arguments: str, token: str = "") -> Iterator[Simulator]:
    """Runs for the block, or until it is stopped. With a token it sends over HTTP, else to Kafka."""
    name = f"{stack.project}-{prefix}sender"
    over_http = ("--http", "http://api:8000", "--http-batch", "100") if token else ()
    command = stack.command(
        "run", "--rm", "-T", "--no-deps", "--name", name, *(("-e", "AUTH_TOKEN") if token else ()), "simulator",
        "--prefix", prefix, "--json", "--quiet", *arguments, *over_http,
    )  # fmt: skip
    process = subprocess.Popen(
        command,
        env=cli.environment({**stack.own, "AUTH_TOKEN": token}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    running = Simulator(name, process)
    try:
        yield running
    finally:
        if process.poll() is None:
            running.stop()
