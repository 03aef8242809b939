"""plumbline watch: where to look, a token, a command that answers with its answer, then live figures."""

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.console import Console

from deploy import parts
from deploy.docker.published import published
from deploy.local import environment, home, monitoring
from ops import api, figures, live, reconcile, token, wait
from ops.console import Json, console, print_json
from shared import deployment
from shared.errors import PlumblineError

ANSWERS_S = 60.0
TOKEN_S = 12 * 3600

# Raises when something ended that should run.
Alive = Callable[[], None]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: plumbline watch --seconds 60")(watch)


def watch(
    seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=1, help="End by itself, with a verdict.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say where to look, show a command with its answer, and then live figures until Ctrl-C.

    With --seconds it ends by itself, with exit status 0 only if statistics came back over HTTP, what Kafka had then was
    stored, and every event was accounted for.
    """
    where = home.default()
    token.require_own_issuer(environment.require(where))
    conclude(Watch(where, console(stderr=as_json)).run(seconds), as_json)


def conclude(verdict: Mapping[str, Any] | None, as_json: bool) -> None:
    """End the command with its verdict; None: Ctrl-C came first, which is no fault."""
    if verdict is None:
        return
    if as_json:
        print_json(verdict)
    if not verdict["ok"]:
        raise typer.Exit(1)


def links(
    values: Mapping[str, str], running: Collection[str], series: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, str]:
    """Where to look in a browser, of what runs; the page with one series in view, live."""
    public = published(values, environ)
    view = urlencode({**series, "from": "-1h", "live": "1"})
    found = {
        "the analysts' page": f"{public['API_URL']}/#{view}",
        "the API and its documentation": f"{public['API_URL']}/docs",
    }
    if "prometheus" in running:
        for page in ("graph", "alerts"):
            path = monitoring.page(values, page).removeprefix(values["PROMETHEUS_URL"])
            found[f"Prometheus: {page}"] = f"{public['PROMETHEUS_URL']}{path}"
    for name, title in (("alertmanager", "Alertmanager"), ("grafana", "Grafana")):
        if name in running and f"{name.upper()}_URL" in public:
            found[title] = public[f"{name.upper()}_URL"]
    return found


class Watch:
    """A stack that runs, for a person who wants to see it at work."""

    def __init__(self, where: Path, output: Console, alive: Alive = lambda: None) -> None:
        self._home, self._console, self._alive = where, output, alive
        self._values = environment.require(where)
        self._token = token.sign(self._values, "demo", ["read:stats", "read:records"], None, TOKEN_S)
        self._series: Mapping[str, str] = {}

    def run(self, seconds: float | None) -> dict[str, Any] | None:
        """Introduce it and show figures; after so many seconds the verdict, None after Ctrl-C."""
        try:
            self.introduce()
            live.watch(self._values, self._token, self._series, seconds, self._console)
            return self.verdict()
        except KeyboardInterrupt:
            self._say("interrupted")
            return None

    def introduce(self) -> None:
        """Where to look, and a command that answers; each on a line of its own, to be copied."""
        self._series = self._some_series()
        asked = {**self._series, "from": "-2h", "bucket": "30m"}
        running = {part.name for part in parts.parts(self._home) if part.state == "running"}
        self._say("")
        for what, where in links(self._values, running, self._series, os.environ).items():
            self._say(f"{what:32} {where}")
        self._say(f"{'settings and secrets':32} {self._shown('stack.env')}")
        if deployment.composed() and "grafana" in running:
            self._say(f"{'the password of admin in Grafana':32} {self._shown('grafana-password')}")
        self._say("")
        self._say("to log in on the analysts' page, paste this token (12 hours), or use AUTH_CLIENT_ID and")
        self._say("AUTH_CLIENT_SECRET of stack.env:")
        self._say(self._token)
        self._say("")
        self._say(api.curl(self._values, self._token, "/stats", **asked))
        for row in api.get(self._values, self._token, "/stats", **asked)["rows"]:
            self._say(f"  {figures.describe(row)}")
        self._say("")

    def _shown(self, name: str) -> str:
        """Where the file is, or what prints it."""
        file = self._home / name
        return f"docker compose run --rm --entrypoint cat ops {file}" if deployment.composed() else str(file)

    def _some_series(self) -> Mapping[str, str]:
        found: dict[str, str] = {}

        def lacking() -> list[str]:
            found.update(figures.some_series(self._values, self._token))
            return []

        missing = wait.patiently("waiting for the API's answer", lacking, ANSWERS_S, self._console, self._alive)
        if missing:
            raise PlumblineError(f"after {ANSWERS_S:.0f} s: {missing[0]} → plumbline status")
        return found

    def verdict(self) -> dict[str, Any]:
        """Statistics over HTTP, nothing of now left unread, and every event accounted for."""
        lacking = wait.patiently(
            "ingestion stores the rest", wait.stored(self._values), wait.TIMEOUT_S, self._console, self._alive
        )
        rows = api.get(self._values, self._token, "/stats", **{**self._series, "from": "-2h", "bucket": "none"})["rows"]
        account = reconcile.check(self._values)
        answered = bool(rows) and rows[0]["count"] > 0
        for row in rows:
            self._say(f"statistics: {figures.describe(row)}")
        for problem in [*lacking, *account["problems"]]:
            self._say(f"problem: {problem}")
        if not answered:
            self._say("problem: no statistics came back over HTTP")
        self._say(f"accounting: {'every event accounted for' if account['ok'] else 'it does not add up'}")
        return {"ok": answered and account["ok"] and not lacking, "statistics": rows, "accounting": account}

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)
