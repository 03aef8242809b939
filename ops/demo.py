"""plumbline demo: real events through real servers to statistics, then live figures."""

import os
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import typer
from rich.console import Console

from deploy.local import home, monitoring, process, services, stack
from ops import api, broker, figures, live, reconcile, store, token
from ops.console import Json, console, print_json
from shared.errors import ConfigurationError, PlumblineError

FLEET = ("--devices", "500", "--seed", "7", "--quiet")
HISTORY = (*FLEET, "--interval", "10s")
LIVE = (*FLEET, "--interval", "1s", "--late", "0.005", "--duplicate", "0.005", "--malformed", "0.001")
SPAN = timedelta(hours=2)
CURRENT = timedelta(minutes=10)
CATCH_UP_S = 120.0
TOKEN_S = 12 * 3600


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: DEMO_SECONDS=60 plumbline demo")(demo)


def demo(as_json: Json = False) -> None:
    """Run the whole pipeline on this machine and show what comes out, until Ctrl-C.

    With DEMO_SECONDS=n it ends by itself, n seconds after it is ready, with exit status 0 only if statistics came
    back over HTTP and every event was accounted for. What of the stack ran before keeps running.
    """
    seconds = limit(os.environ.get("DEMO_SECONDS"))
    run = Demo(home.default(), console(stderr=as_json))
    ran = set(process.find(run.home))
    verdict = None
    try:
        run.prepare()
        live.watch(run.values, run.token, run.series, seconds, run.console)
        if seconds is not None:
            verdict = run.check()
    except KeyboardInterrupt:
        run.say("interrupted")
    finally:
        run.say("stopping what the demo started")
        with process.uninterrupted():
            stack.down(run.home, [part for part in stack.PARTS if part not in ran], lambda _: None)
    if verdict is None:
        return
    if as_json:
        print_json(verdict)
    if not verdict["ok"]:
        raise typer.Exit(1)


def limit(text: str | None) -> float | None:
    """DEMO_SECONDS as seconds; None: without end."""
    if not text:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise ConfigurationError(f"DEMO_SECONDS: {text!r} isn't a number of seconds → DEMO_SECONDS=60 make demo")
    return float(text)


def links(values: Mapping[str, str], parts: Collection[str], series: Mapping[str, str]) -> dict[str, str]:
    """Where to look in a browser, of what runs; the page with one series in view, live."""
    view = urlencode({**series, "from": "-1h", "live": "1"})
    found = {
        "the analysts' page": f"{values['API_URL']}/#{view}",
        "the API and its documentation": f"{values['API_URL']}/docs",
    }
    if "prometheus" in parts:
        found["Prometheus: graphs"] = monitoring.page(values, "graph")
        found["Prometheus: alerts"] = monitoring.page(values, "alerts")
    if "alertmanager" in parts:
        found["Alertmanager"] = values["ALERTMANAGER_URL"]
    return found


class Demo:
    """From nothing to a stack with a past and a present, and the verdict on it."""

    def __init__(self, where: Path, output: Console) -> None:
        self.home, self.console = where, output
        self.values: Mapping[str, str] = {}
        self.series: Mapping[str, str] = {}
        self.token = ""
        self.parts: list[str] = []
        self.started: list[str] = []

    def say(self, line: str) -> None:
        self.console.print(line, markup=False, soft_wrap=True)

    def prepare(self) -> None:
        """Start the stack, load history, wait until it is in the statistics, go on live, and say how to ask."""
        self._up(*(part for part in stack.DEFAULT_PARTS if part != "aggregation"))
        self.token = token.sign(self.values, "demo", ["read:stats", "read:records"], None, TOKEN_S)
        self._load_history()
        self._until("ingestion has stored everything", self._caught_up)
        # History is past for the aggregator that starts now, late data for one that ran before.
        self._up("aggregation")
        self._until("the statistics are up to date", self._materialized)
        self._up("simulator")
        self.series = figures.some_series(self.values, self.token)
        self._introduce()

    def _up(self, *parts: str) -> None:
        outcome = stack.up(self.home, parts, stack.Options(simulator=LIVE), self.say)
        self.values = outcome.values
        self.started += outcome.started
        self.parts += [*outcome.started, *outcome.reused]

    def _load_history(self) -> None:
        """The fleet's last hours, or what is missing of them since the stack last ran."""
        now = figures.now()
        with store.snapshot(self.values) as connection:
            begin = store.newest_event(connection, now - SPAN) or now - SPAN
        if now - begin < timedelta(seconds=30):
            return
        self.say(f"loading history from {begin:%H:%M:%S} to {now:%H:%M:%S} UTC")
        job = services.start_job(self.home, "history", self.values, [*HISTORY, "--from", begin.isoformat()])
        with self.console.status("loading history"):
            process.until(lambda: job.poll() is not None, CATCH_UP_S)
        if job.poll() != 0:
            log = home.log_file(self.home, "history")
            raise PlumblineError(f"the history could not be loaded. The end of {log}:\n{process.last_lines(log)}")

    def _until(self, what: str, condition: Any) -> None:
        """Wait for a condition with the figures in sight; a service that ends meanwhile ends the wait."""
        self.say(f"waiting until {what}")
        with self.console.status(what):
            held = process.until(lambda: condition() or bool(self._ended()), CATCH_UP_S, poll_s=0.25)
        ended = self._ended()
        if ended:
            log = home.log_file(self.home, ended[0])
            raise PlumblineError(f"{ended[0]} ended. The end of {log}:\n{process.last_lines(log)}")
        if not held:
            raise PlumblineError(f"after {CATCH_UP_S:.0f} s {what} doesn't hold → plumbline doctor")

    def _ended(self) -> list[str]:
        running = process.find(self.home)
        return [part for part in self.parts if part not in running and part not in stack.MONITORS]

    def _caught_up(self) -> bool:
        with broker.connect(self.values) as kafka, store.snapshot(self.values) as connection:
            ends = kafka.watermarks(kafka.partitions())
            return broker.lag(ends, store.offsets(connection)) == 0

    def _materialized(self) -> bool:
        with store.snapshot(self.values) as connection:
            progress = store.progress(connection)
        until, watermark = progress["materialized"], progress["watermark"]
        current = bool(until and watermark and until >= watermark >= figures.now() - CURRENT)
        return current and not progress["late_waiting"]

    def _introduce(self) -> None:
        """Where to look, and a command that answers; each on a line of its own, to be copied."""
        asked = {**self.series, "from": "-2h", "bucket": "30m"}
        self.say("")
        for what, where in links(self.values, self.parts, self.series).items():
            self.say(f"{what:32} {where}")
        self.say(f"{'settings and secrets':32} {self.home / 'stack.env'}")
        self.say("")
        self.say("to log in on the analysts' page, paste this token (12 hours), or use AUTH_CLIENT_ID and")
        self.say("AUTH_CLIENT_SECRET of stack.env:")
        self.say(self.token)
        self.say("")
        self.say(api.curl(self.values, self.token, "/stats", **asked))
        for row in api.get(self.values, self.token, "/stats", **asked)["rows"]:
            self.say(f"  {figures.describe(row)}")
        self.say("")

    def check(self) -> dict[str, Any]:
        """The verdict: statistics over HTTP, nothing left unread, and every event accounted for."""
        if "simulator" in self.started:
            stack.down(self.home, ("simulator",), lambda _: None)
            self.parts.remove("simulator")
        self._until("ingestion has stored everything", self._caught_up)
        rows = api.get(self.values, self.token, "/stats", **{**self.series, "from": "-2h", "bucket": "none"})["rows"]
        account = reconcile.check(self.values)
        answered = bool(rows) and rows[0]["count"] > 0
        for row in rows:
            self.say(f"statistics: {figures.describe(row)}")
        for problem in account["problems"]:
            self.say(f"problem: {problem}")
        if not answered:
            self.say("problem: no statistics came back over HTTP")
        self.say(f"accounting: {'every event accounted for' if account['ok'] else 'it does not add up'}")
        return {"ok": answered and account["ok"], "statistics": rows, "accounting": account}
