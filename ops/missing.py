"""plumbline missing: since when no event is stored, so that a history can be loaded from there."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from deploy.local import environment, home
from ops import store
from ops.console import Json, print_json
from ops.moments import duration, rfc3339

SHORT = timedelta(seconds=30)  # a fleet that sends now and then is never newer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog='Example: python -m simulator --from "$(plumbline missing --last 2h)"')(missing)


def missing(
    last: Annotated[str, typer.Option(metavar="DURATION", help="How far to look back: 90s, 15m, 2h, 7d.")] = "2h",
    as_json: Json = False,
) -> None:
    """Print the time of the newest event, or when this span began if it has none; nothing if events are up to now."""
    with store.snapshot(environment.require(home.default())) as connection:
        since = missing_since(connection, abs(duration(last)), datetime.now(UTC))
    if as_json:
        print_json({"since": since})
    elif since:
        print(rfc3339(since))


def missing_since(connection: store.Connection, span: timedelta, now: datetime) -> datetime | None:
    """Where a history of the last `span` must begin; None: events are up to now."""
    begin = store.newest_event(connection, now - span) or now - span
    return begin if now - begin > SHORT else None
