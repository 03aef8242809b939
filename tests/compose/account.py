"""What the stack has stored of what was sent, against what was accepted."""

from dataclasses import dataclass, field
from typing import Any

from tests.compose.client import Client
from tests.compose.probe import DEVICES, Probe
from tests.compose.stack import Stack
from tests.pipeline import wait_for

TOTALS = {
    "persisted": "persisted_total",
    "duplicates": "duplicate_total",
    "conflicts": "conflict_total",
    "dead_lettered": "dead_letter_total",
}
SETTLE_S = 90.0


@dataclass
class Findings:
    """`accepted`, `lost` and `doubled` in events; `problems`: what else is wrong, in words."""

    accepted: int = 0
    lost: int = 0
    doubled: int = 0
    problems: list[str] = field(default_factory=list)


def totals(stack: Stack) -> dict[str, int]:
    """Outcomes over all partitions."""
    [row] = stack.sql(f"SELECT {', '.join(f'sum({column})' for column in TOTALS.values())} FROM kafka_offsets")  # noqa: S608
    return dict(zip(TOTALS, (int(value or 0) for value in row), strict=True))


def stored(stack: Stack, prefix: str) -> int:
    """Rows of the devices that begin so."""
    return stack.number(
        "SELECT count(*) FROM events e JOIN devices d ON d.id = e.device"  # noqa: S608
        f" WHERE starts_with(device_id, '{prefix}')"
    )


def distinct(summary: dict[str, Any]) -> int:
    """How many events of different identity a simulator has sent; second copies are duplicates."""
    return int(summary["events"] - summary["faults"]["malformed"])


def settle(stack: Stack) -> None:
    """Waits until all that Kafka has is committed."""
    wait_for(lambda: stack.document("reconcile")["lag"] == 0, "all that Kafka holds is committed", SETTLE_S)


def judge(stack: Stack, client: Client, prefix: str, summary: dict[str, Any], probe: Probe) -> Findings:
    """Every event that the simulator or the probe was told is accepted is one row, and in the statistics."""
    settle(stack)
    found = Findings(distinct(summary) + len(probe.taken))
    _simulated(stack, f"{prefix}dev-", distinct(summary), found)
    _probed(stack, client, f"{prefix}probe-", probe, found)
    for command in (("reconcile",), ("verify", "--from", "-3h")):
        report = stack.document(*command)
        if not report["ok"]:
            found.problems.append(f"{command[0]}: {report}")
    return found


def _simulated(stack: Stack, prefix: str, sent: int, found: Findings) -> None:
    there = stored(stack, prefix)
    found.lost += max(0, sent - there)
    found.doubled += max(0, there - sent)


def _probed(stack: Stack, client: Client, prefix: str, probe: Probe, found: Findings) -> None:
    rows = [int(float(value)) for [value] in _values(stack, prefix)]
    taken, possible = set(probe.taken), {*probe.taken, *probe.unknown}
    found.lost += len(taken - set(rows))
    found.doubled += len(rows) - len(set(rows) & possible)
    counted = client.stats(metric="m", bucket="none", device_id=[f"{prefix}{number}" for number in range(DEVICES)])
    told = (sum(row["count"] for row in counted), sum(row["sum"] for row in counted))
    if told != (len(rows), sum(rows)):
        found.problems.append(f"/stats says count and sum {told}, sent were {len(rows)} and {sum(rows)}")


def _values(stack: Stack, prefix: str) -> list[list[str]]:
    return stack.sql(f"SELECT value FROM readings WHERE metric = 'm' AND starts_with(device_id, '{prefix}')")  # noqa: S608
