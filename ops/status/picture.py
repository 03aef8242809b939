"""A look for people: the parts, the figures, what fires, and what to type."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.local.status import Part
from ops.alerts import Alert
from ops.console import COLOURS, cell
from ops.status.figures import Figures
from ops.status.verdict import Verdict


def lines(figures: Figures) -> dict[str, str]:
    """A name and a value each; a dash where it can't be said."""
    share = figures.dead_letter_share
    late = f"{figures.late_entries:,}" if figures.late_entries is not None else "-"
    return {
        "events/s": _number(figures.events_per_second),
        "lag": f"{_number(figures.lag_messages)} events, {_seconds(figures.lag_seconds)}",
        "accepted → visible, p99": _seconds(figures.end_to_end_p99_seconds),
        "watermark": f"{_seconds(figures.watermark_age_seconds)} behind the clock",
        "statistics overdue": _seconds(figures.overdue_seconds),
        "late data waiting": f"{late}, oldest {_seconds(figures.late_oldest_seconds)}",
        "dead letters, last hour": _number(figures.dead_letters_last_hour) + (f" ({share:.2%})" if share else ""),
        "unaccounted offsets": _number(figures.unaccounted_offsets),
        "partitions": f"{_number(figures.stopped_partitions)} stopped, {_number(figures.paused_partitions)} paused",
        "acks behind": _seconds(figures.ack_lag_seconds),
    }


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    if value < 10:
        return f"{value:.2g} s" if value >= 1 else f"{value * 1000:.0f} ms"
    return f"{value:,.0f} s" if value < 7200 else f"{value / 3600:,.1f} h"


def picture(parts: Sequence[Part], figures: Figures, verdict: Verdict) -> RenderableType:
    """The whole screen: the verdict, what it is made of, the parts and the figures."""
    shown: list[RenderableType] = [_headline(verdict)]
    shown += [_finding(each.state, each.what, each.next) for each in verdict.findings]
    shown += ["", _parts(parts), "", _grid(lines(figures))]
    return Group(*shown)


def _headline(verdict: Verdict) -> Text:
    return Text(verdict.words, style="bold green" if verdict.ok else "bold red")


def _finding(state: str, what: str, command: str) -> Text:
    text = Text(f"  {what}", style=COLOURS[state])
    return text.append(f" → {command}", style="bold") if command else text


def _parts(parts: Sequence[Part]) -> Table:
    """What a part that runs lacks is among the findings."""
    table = Table("part", "state", box=None, pad_edge=False, header_style="bold")
    table.add_column("address", overflow="fold")
    table.add_column("version")
    for part in parts:
        state = part.problem if part.state == "stopped" and part.problem else part.state
        several = f" ({part.replicas} containers)" if part.replicas > 1 else ""
        table.add_row(*map(cell, (part.name, state, f"{part.url or ''}{several}", part.version)))
    return table


def _grid(rows: Mapping[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        table.add_row(Text(name, style="bold"), Text(value))
    return table


def line(figures: Figures, alerts: Sequence[Alert] | None, verdict: Verdict, now: datetime) -> str:
    """One line a tick, off a terminal."""
    firing = [each.name for each in alerts or () if each.state == "firing"]
    short = {"status": "ok" if verdict.ok else "BROKEN", **lines(figures), "firing": ", ".join(firing) or "none"}
    said = " · ".join(f"{name} {value}" for name, value in short.items())
    first = f" · {verdict.words}" if not verdict.ok else ""
    return f"{now:%H:%M:%S} {said}{first}"


def document(
    parts: Sequence[Mapping[str, Any]], figures: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]] | None,
    verdict: Verdict, away: Mapping[str, str], now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """The look for programs."""
    found = [{"state": each.state, "what": each.what, "next": each.next} for each in verdict.findings]
    return {
        "ok": verdict.ok,
        "verdict": verdict.words,
        "at": now,
        "findings": found,
        "parts": list(parts),
        "pipeline": dict(figures),
        "alerts": None if alerts is None else list(alerts),
        "away": dict(away),
    }
