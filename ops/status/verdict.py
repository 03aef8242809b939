"""What is wrong, from the figures, the parts and the alerts; and the command that comes next. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from deploy.local import doctor
from deploy.local.status import Part
from ops.alerts import Alert
from ops.status.figures import Figures

# Beyond these something is wrong, with or without a Prometheus: the thresholds of its alerts.
MOST_LAG_S = 30.0
MOST_ACK_LAG_S = 60.0
MOST_LATE_S = 900.0
MOST_DEAD_SHARE = 0.01
FEW_DEAD_LETTERS = 20  # fewer are no share of anything


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong (`broken`) or worth knowing (`note`). `next`: the command to type, or where to read."""

    state: Literal["broken", "note"]
    what: str
    next: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`ok` unless something is broken; findings with the cause before what follows from it."""

    ok: bool
    words: str
    findings: Sequence[Finding]


def verdict(
    parts: Sequence[Part],
    figures: Figures,
    alerts: Sequence[Alert] | None,
    away: Mapping[str, str],
    now: datetime,
) -> Verdict:
    """The judgement of one look."""
    if not any(part.state != "stopped" for part in parts):
        stopped = Finding("broken", "nothing runs", "plumbline up")
        return Verdict(False, "stopped: nothing of the stack runs", [stopped])
    found = [*_parts(parts), *_figures(figures), *_alerts(alerts, now), *_away(parts, away)]
    broken = [finding for finding in found if finding.state == "broken"]
    if broken:
        count = f"{len(broken)} things are wrong, first" if len(broken) > 1 else "one thing is wrong"
        return Verdict(False, f"{count}: {broken[0].what}", [*broken, *(f for f in found if f not in broken)])
    return Verdict(True, f"healthy: {_healthy(figures, alerts)}", found)


def _healthy(figures: Figures, alerts: Sequence[Alert] | None) -> str:
    lag = "" if figures.lag_seconds is None else f", {figures.lag_seconds:.1f} s behind"
    calm = "no Prometheus to ask for alerts" if alerts is None else "no alert fires"
    rate = "" if figures.events_per_second is None else f"{figures.events_per_second:,.0f} events/s"
    return f"{rate}{lag}, {calm}".removeprefix(", ")


def _parts(parts: Sequence[Part]) -> Iterator[Finding]:
    """Servers come before what needs them, as in the order of their start."""
    for part in parts:
        if part.optional and part.state == "stopped":
            continue
        finding = doctor.part_finding(part, known=part.url is not None, stack_runs=True)
        if finding.state == "broken":
            what, _, remedy = finding.detail.partition(" → ")
            decide = "partition" in what and "stopped:" in what
            command = "plumbline offsets" if decide else finding.mend or remedy or "plumbline doctor"
            yield Finding("broken", f"{part.name}: {what}", command)


def _figures(figures: Figures) -> Iterator[Finding]:
    if figures.unaccounted_offsets:
        yield Finding(
            "broken", f"{figures.unaccounted_offsets:,} offsets were read and have no outcome", "plumbline reconcile"
        )
    if (figures.lag_seconds or 0) > MOST_LAG_S:
        waiting = f"{figures.lag_messages or 0:,} events wait"
        yield Finding("broken", f"{waiting}, the oldest for {figures.lag_seconds:,.0f} s", "plumbline offsets")
    if (figures.overdue_seconds or 0) > (figures.patience_seconds or 0):
        overdue = f"statistics are {figures.overdue_seconds:,.0f} s overdue"
        yield Finding("broken", overdue, _runbook("PlumblineStatisticsBehind"))
    if (figures.late_oldest_seconds or 0) > MOST_LATE_S:
        waits = f"late data waits for {figures.late_oldest_seconds:,.0f} s"
        yield Finding("broken", f"{waits} to be worked in", _runbook("PlumblineLateDataWaits"))
    if figures.dead_letters_last_hour:
        share = figures.dead_letter_share
        often = (share or 0) > MOST_DEAD_SHARE and figures.dead_letters_last_hour >= FEW_DEAD_LETTERS
        shown = "" if share is None else f" ({share:.2%} of the records)"
        what = f"{figures.dead_letters_last_hour:,} dead letters in the last hour{shown}"
        yield Finding("broken" if often else "note", what, "plumbline dlq list --since -1h")
    if (figures.ack_lag_seconds or 0) > MOST_ACK_LAG_S:
        yield Finding("broken", f"acks are {figures.ack_lag_seconds:,.0f} s behind commits", "python -m shared.topics")
    if figures.paused_partitions:
        yield Finding("note", f"{figures.paused_partitions} partitions are paused: they wait for Postgres", "")


def _runbook(alert: str) -> str:
    """Where it is said what to do: no single command mends these."""
    return f"docs/runbook.md#{alert.lower()}"


def _alerts(alerts: Sequence[Alert] | None, now: datetime) -> Iterator[Finding]:
    for alert in alerts or ():
        minutes = (now - alert.since).total_seconds() / 60
        about = ", ".join(f"{name}={value}" for name, value in alert.labels.items())
        name = f"{alert.name} ({about})" if about else alert.name
        what = f"{name} {'fires' if alert.state == 'firing' else 'is pending'} since {minutes:.0f} min"
        said = f": {alert.summary}" if alert.summary else ""
        yield Finding("broken" if alert.state == "firing" else "note", what + said, alert.runbook)


def _away(parts: Sequence[Part], away: Mapping[str, str]) -> Iterator[Finding]:
    """What answers, and yet could not be asked; what doesn't answer is among the parts."""
    answering = {part.name for part in parts if part.state in ("running", "not ready")}
    for name, why in away.items():
        if name in answering:
            what, _, command = why.partition(" → ")
            yield Finding("broken", f"{name}: {what}", command or "plumbline doctor")
        elif name == "prometheus":
            yield Finding("note", f"no alerts: Prometheus is {why}", "plumbline doctor")
