"""The command plumbline status."""

import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.local import home
from ops.console import Json, console, json_text, print_json
from ops.live import screen
from ops.status import picture
from ops.status.figures import figures
from ops.status.look import Look, look
from ops.status.verdict import Verdict, verdict
from shared.deployment import typed

APART_S = 1.0  # between the two looks that a rate needs
TICK_S = 2.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status", epilog="Example: plumbline status --live")(show_status)


def show_status(
    live: Annotated[bool, typer.Option("--live", help="Look again every 2 seconds, until Ctrl-C.")] = False,
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", min=1, help="With --live: end after so long.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say whether the pipeline is healthy, or what is wrong and what to type next.

    Shows the parts, the pipeline's figures and the alerts that are pending or fire. Exit status 1 unless all that was
    started is ready, the figures are in order and no alert fires; notes, such as a pending alert, don't count.
    With --live --json it prints a document a line.
    """
    where = home.default()
    watched = live or seconds is not None
    if not (_watch(where, seconds, as_json) if watched else _once(where, as_json)):
        raise typer.Exit(1)


def document(where: Path) -> dict[str, Any]:
    """What `plumbline status --json` prints."""
    before, now = _twice(where)
    return _document(before, now, _judged(before, now))


def _twice(where: Path) -> tuple[Look, Look]:
    before = look(where)
    if any(part.state != "stopped" for part in before.parts):
        time.sleep(APART_S)
    return before, look(where)


def _once(where: Path, as_json: bool) -> bool:
    before, now = _twice(where)
    found = _judged(before, now)
    if as_json:
        print_json(_document(before, now, found))
    else:
        console().print(picture.picture(now.parts, figures(before, now), found))
    return found.ok


def _watch(where: Path, seconds: float | None, as_json: bool) -> bool:
    """Whether the last look was fine; so it is when it ends by Ctrl-C."""
    output = console()
    end = time.monotonic() + seconds if seconds is not None else float("inf")
    before = look(where)
    try:
        with screen(output) as show:
            while True:
                time.sleep(max(0.0, min(TICK_S, end - time.monotonic())))
                now = look(where)
                found, clock = _judged(before, now), _clock()
                shown = figures(before, now)
                if as_json:
                    print(json_text(_document(before, now, found), indent=None), flush=True)
                else:
                    whole = picture.picture(now.parts, shown, found)
                    show(whole, picture.line(shown, now.alerts, found, clock))
                before = now
                if time.monotonic() >= end:
                    return found.ok
    except KeyboardInterrupt:
        return True


def _judged(before: Look, now: Look) -> Verdict:
    found = verdict(now.parts, figures(before, now), now.alerts, now.away, _clock())
    findings = [replace(each, what=typed(each.what), next=typed(each.next)) for each in found.findings]
    return replace(found, words=typed(found.words), findings=findings)


def _document(before: Look, now: Look, found: Verdict) -> dict[str, Any]:
    alerts = None if now.alerts is None else [asdict(each) for each in now.alerts]
    parts = [asdict(part) for part in now.parts]
    return picture.document(parts, asdict(figures(before, now)), alerts, found, now.away, _clock())


def _clock() -> datetime:
    return datetime.now(UTC)
