"""plumbline wait: until what Kafka has is stored, or until the statistics are up to date."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from deploy.local import environment, home
from ops import broker, figures, store
from ops.broker import Partition
from ops.console import Json, console, print_json
from shared.errors import ConfigurationError, PlumblineError

TIMEOUT_S = 120.0
POLL_S = 0.25
CURRENT = timedelta(minutes=10)

# What is lacking, in words; nothing: it holds.
Condition = Callable[[], list[str]]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: plumbline wait stored --timeout 60 && plumbline wait statistics")(wait)


def wait(
    what: Annotated[Literal["stored", "statistics"], typer.Argument(help="What to wait for.")],
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long.")] = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Wait until everything is stored that Kafka has now, or until the statistics are up to date.

    Up to date: each bucket that is closed is stored, the last one ended within ten minutes, and no late event waits to
    be worked in. A server that is away may come back meanwhile. Exit status 1 at the timeout, and what is lacking.
    """
    values = environment.require(home.default())
    condition = stored(values) if what == "stored" else statistics(values)
    began = time.monotonic()
    lacking = patiently(f"waiting: {what}", condition, timeout, console(stderr=True))
    seconds = time.monotonic() - began
    if as_json:
        print_json({"ok": not lacking, "what": what, "seconds": round(seconds, 3), "lacking": lacking})
    elif not lacking:
        print(f"{'everything is stored' if what == 'stored' else 'the statistics are up to date'}: {seconds:.1f} s")
    if lacking and as_json:
        raise typer.Exit(1)
    if lacking:
        raise PlumblineError(f"after {timeout:g} s: {'; '.join(lacking)} → plumbline status")


def patiently(
    what: str, lacking: Condition, timeout_s: float, output: Console, alive: Callable[[], None] = lambda: None
) -> list[str]:
    """Ask until nothing is lacking; returns what still is at the timeout. `alive` may raise to end it sooner."""
    end = time.monotonic() + timeout_s
    with output.status(what):
        while True:
            alive()
            found = _asked(lacking)
            if not found or time.monotonic() >= end:
                return found
            time.sleep(POLL_S)


def _asked(lacking: Condition) -> list[str]:
    """What is lacking; a server that is away, or starting, is that too."""
    try:
        return lacking()
    except ConfigurationError:
        raise
    except PlumblineError as error:
        return [str(error).partition(" → ")[0]]


def stored(values: Mapping[str, str]) -> Condition:
    """Whatever Kafka has when this is first asked is stored, or is known not to be taken."""
    ends: dict[Partition, tuple[int, int]] = {}

    def lacking() -> list[str]:
        if not ends:
            with broker.connect(values) as kafka:
                ends.update(kafka.watermarks(kafka.partitions()))
        with store.snapshot(values) as connection:
            return unread(ends, store.offsets(connection))

    return lacking


def unread(ends: Mapping[Partition, tuple[int, int]], read: Mapping[Partition, int]) -> list[str]:
    """A text for each partition with records below its end that have no outcome yet."""
    if not ends:
        return ["Kafka has no topic of readings"]
    left = {place: high - read.get(place, low) for place, (low, high) in ends.items()}
    return [f"{topic}[{number}]: {n:,} records aren't stored" for (topic, number), n in left.items() if n > 0]


def statistics(values: Mapping[str, str]) -> Condition:
    """Every closed bucket of the finest level is stored, up to some minutes ago, and no late data waits."""

    def lacking() -> list[str]:
        with store.snapshot(values) as connection:
            return behind(store.progress(connection), figures.now())

    return lacking


def behind(progress: Mapping[str, Any], now: datetime) -> list[str]:
    """What keeps the statistics from being up to date."""
    until, watermark = progress["materialized"], progress["watermark"]
    if not until or not watermark:
        return ["no bucket is closed and stored yet"]
    found = []
    if watermark < now - CURRENT:
        found.append(f"buckets are closed up to {watermark:%Y-%m-%d %H:%M} UTC only")
    if until < watermark:
        found.append(f"of the closed buckets those up to {until:%Y-%m-%d %H:%M} UTC are stored")
    if progress["late_waiting"]:
        found.append("late events wait to be worked in")
    return found
