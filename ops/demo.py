"""plumbline demo: real events through real servers to statistics, then live figures."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import typer
from rich.console import Console

from deploy.local import home, process, services, stack
from ops import figures, store, wait, watch
from ops.console import Json, console
from ops.missing import missing_since
from ops.stack import beside_us
from ops.wait import Condition
from shared.errors import ConfigurationError, PlumblineError

FLEET = ("--devices", "500", "--seed", "7", "--quiet")
HISTORY = (*FLEET, "--interval", "10s")
LIVE = (*FLEET, "--interval", "1s", "--late", "0.005", "--duplicate", "0.005", "--malformed", "0.001")
SPAN = timedelta(hours=2)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: DEMO_SECONDS=60 plumbline demo")(demo)


def demo(as_json: Json = False) -> None:
    """Run the whole pipeline on this machine and show what comes out, until Ctrl-C.

    With DEMO_SECONDS=n it ends by itself, n seconds after it is ready, with exit status 0 only if statistics came
    back over HTTP and every event was accounted for. What of the stack ran before keeps running.
    """
    beside_us("make demo-docker")
    seconds = limit(os.environ.get("DEMO_SECONDS"))
    run = Demo(home.default(), console(stderr=as_json))
    ran = set(process.find(run.home))
    verdict = None
    try:
        run.prepare()
        verdict = watch.Watch(run.home, run.console, run.alive).run(seconds)
    except KeyboardInterrupt:
        run.say("interrupted")
    finally:
        run.say("stopping what the demo started")
        with process.uninterrupted():
            stack.down(run.home, [part for part in stack.PARTS if part not in ran], lambda _: None)
    watch.conclude(verdict, as_json)


def limit(text: str | None) -> float | None:
    """DEMO_SECONDS as seconds; None: without end."""
    if not text:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise ConfigurationError(f"DEMO_SECONDS: {text!r} isn't a number of seconds → DEMO_SECONDS=60 make demo")
    return float(text)


class Demo:
    """From nothing to a stack with a past and a present."""

    def __init__(self, where: Path, output: Console) -> None:
        self.home, self.console = where, output
        self._values: Mapping[str, str] = {}
        self._parts: list[str] = []

    def say(self, line: str) -> None:
        self.console.print(line, markup=False, soft_wrap=True)

    def prepare(self) -> None:
        """Start the stack, load history, wait until it is in the statistics, and go on live."""
        self._up(*(part for part in stack.DEFAULT_PARTS if part != "aggregation"))
        self._load_history()
        self._until("ingestion has stored everything", wait.stored(self._values))
        # History is past for the aggregator that starts now, late data for one that ran before.
        self._up("aggregation")
        self._until("the statistics are up to date", wait.statistics(self._values))
        self._up("simulator")

    def _up(self, *parts: str) -> None:
        outcome = stack.up(self.home, parts, stack.Options(simulator=LIVE), self.say)
        self._values = outcome.values
        self._parts += [*outcome.started, *outcome.reused]

    def _load_history(self) -> None:
        """The fleet's last hours, or what is missing of them since the stack last ran."""
        now = figures.now()
        with store.snapshot(self._values) as connection:
            begin = missing_since(connection, SPAN, now)
        if begin is None:
            return
        self.say(f"loading history from {begin:%H:%M:%S} to {now:%H:%M:%S} UTC")
        job = services.start_job(self.home, "history", self._values, [*HISTORY, "--from", begin.isoformat()])
        with self.console.status("loading history"):
            process.until(lambda: job.poll() is not None, wait.TIMEOUT_S)
        if job.poll() != 0:
            log = home.log_file(self.home, "history")
            raise PlumblineError(f"the history could not be loaded. The end of {log}:\n{process.last_lines(log)}")

    def _until(self, what: str, condition: Condition) -> None:
        """Wait for a condition; a service that ends meanwhile ends the wait."""
        self.say(f"waiting until {what}")
        lacking = wait.patiently(what, condition, wait.TIMEOUT_S, self.console, self.alive)
        if lacking:
            raise PlumblineError(f"after {wait.TIMEOUT_S:.0f} s: {'; '.join(lacking)} → plumbline doctor")

    def alive(self) -> None:
        """Raises when a service of the demo has ended."""
        running = process.find(self.home)
        ended = [part for part in self._parts if part not in running and part not in stack.MONITORS]
        if ended:
            log = home.log_file(self.home, ended[0])
            raise PlumblineError(f"{ended[0]} ended. The end of {log}:\n{process.last_lines(log)}")
