"""What verify found: how much it compared, what differs, and the command that mends it. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ops.moments import at
from ops.statistics_store import Key
from shared.statistics.buckets import bucket_name

SECOND = 1_000_000
FEW_DEVICES = 5
NO_EVENT = "a row is stored, but there is no event"
NO_ROW = "there is no stored row"
SPOILT = "the summary of its percentiles isn't one"


@dataclass(frozen=True, slots=True)
class Difference:
    """What a stored row says that its events don't; `device` None: the row across all devices."""

    level: int  # seconds
    device: str | None
    metric: str
    bucket: int  # µs since 1970
    problem: str

    def plain(self) -> dict[str, Any]:
        """For programs."""
        where = {"level": bucket_name(self.level), "device_id": self.device, "metric": self.metric}
        return {**where, "start": at(self.bucket), "problem": self.problem}


@dataclass
class Findings:
    """Rows by level: `compared` of devices, `fleet` across devices, `skipped` ones that wait for late events."""

    devices: Mapping[int, str]
    metrics: Mapping[int, str]
    compared: Counter[int] = field(default_factory=Counter)
    fleet: Counter[int] = field(default_factory=Counter)
    skipped: Counter[int] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def judged(self, level: int, key: Key, problems: list[str]) -> None:
        """A device's row was compared."""
        self.compared[level] += 1
        device, metric, bucket = key
        for problem in problems:
            self._add(level, self.devices.get(device, str(device)), metric, bucket, problem)

    def fleet_judged(self, level: int, metric: int, bucket: int, problems: list[str]) -> None:
        """A row across devices was compared."""
        self.fleet[level] += 1
        self.fleet_problems(level, metric, bucket, problems)

    def fleet_problems(self, level: int, metric: int, bucket: int, problems: list[str]) -> None:
        """What else is wrong with it."""
        for problem in problems:
            self._add(level, None, metric, bucket, problem)

    def _add(self, level: int, device: str | None, metric: int, bucket: int, problem: str) -> None:
        name = self.metrics.get(metric, str(metric))
        self.differences.append(Difference(level, device, name, bucket, problem))

    def mend(self) -> str | None:
        """The command that makes right what was found wrong; None: there is nothing that one could."""
        wrong = [found for found in self.differences if found.problem != NO_EVENT]
        if not wrong:
            return None
        start = min(found.bucket for found in wrong)
        end = max(found.bucket + found.level * SECOND for found in wrong)
        levels = sorted({found.level for found in wrong})
        devices = sorted({found.device for found in wrong if found.device is not None})
        words = ["plumbline backfill", f"--from {_time(start)}", f"--to {_time(end)}"]
        if len(levels) == 1:
            words.append(f"--level {bucket_name(levels[0])}")
        if any(found.device is None for found in wrong):
            words.append("--fleet")
        elif len(devices) <= FEW_DEVICES:
            words += [f"--device {device}" for device in devices]
        return " ".join(words)

    def report(self) -> dict[str, Any]:
        """For programs."""
        return {
            "ok": not self.differences,
            "compared": _named(self.compared),
            "fleet": _named(self.fleet),
            "skipped": _named(self.skipped),
            "differences": [found.plain() for found in self.differences],
            "mend": self.mend(),
        }


def counted(counts: Mapping[str, int]) -> str:
    """Rows by level in words, such as "1,440 of 1m, 24 of 1h"."""
    return ", ".join(f"{count:,} of {level}" for level, count in counts.items())


def _named(counts: Counter[int]) -> dict[str, int]:
    return {bucket_name(level): counts[level] for level in sorted(counts)}


def _time(micros: int) -> str:
    return f"{datetime.fromtimestamp(micros / SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"
