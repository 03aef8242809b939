"""What a run sent, and what the pipeline should make of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulator.faults import FAULTS, Fault
from simulator.http.delivery import Delivery
from simulator.stream import Sent


@dataclass(frozen=True)
class Summary:
    """The result of a fleet's run; `seconds` is its duration by the wall clock."""

    sent: Sent
    devices: int
    seed: int
    first: str
    """Time of the first event, RFC 3339."""
    last: str
    """Time of the last one."""
    seconds: float
    delivery: Delivery | None = None
    """Over HTTP: what became of the records."""

    def document(self) -> dict[str, Any]:
        """For --json. `expected` is what the pipeline's counters must grow by, if nobody else sends."""
        faults = {fault.label: self.sent.faults[fault] for fault in FAULTS}
        malformed = self.sent.faults[Fault.MALFORMED]
        return {
            "events": self.sent.events,
            "records": self.sent.records,
            "devices": self.devices,
            "seed": self.seed,
            "from": self.first,
            "to": self.last,
            "seconds": round(self.seconds, 3),
            "events_per_second": round(self.sent.events / self.seconds) if self.seconds else 0,
            "faults": faults,
            "malformed_codes": dict(sorted(self.sent.codes.items())),
            "expected": {
                "persisted": self.sent.events - malformed,
                "duplicates": self.sent.faults[Fault.DUPLICATE] + self.sent.faults[Fault.CONFLICT],
                "conflicts": self.sent.faults[Fault.CONFLICT],
                # An API rejects at the door what would become a dead letter.
                "dead_lettered": 0 if self.delivery else malformed,
                "rejected": malformed if self.delivery else 0,
            },
            **({"http": self.delivery.document()} if self.delivery else {}),
        }

    def text(self) -> str:
        """For people."""
        document = self.document()
        rate = f"{document['events_per_second']:,} events/s"
        lines = [
            f"sent {document['events']:,} events of {self.devices:,} devices in {self.seconds:.1f} s: {rate}",
            f"{document['records']:,} records, times {self.first} to {self.last}",
        ]
        faults = [f"{count:,} {name}" for name, count in document["faults"].items() if count]
        if faults:
            expected = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in document["expected"].items())
            lines += [f"planned faults: {', '.join(faults)}", f"the pipeline should count: {expected}"]
        if self.delivery:
            lines.append(self.delivery.text())
        return "\n".join(lines)


@dataclass(frozen=True)
class ReplaySummary:
    """The result of a replay of which the first `events` events were sent."""

    events: int
    skipped: int
    """Rows of the file without a time, a device or any reading."""
    devices: int
    metrics: Sequence[str]
    first: str
    """Earliest time as sent, RFC 3339."""
    last: str
    """Latest one."""
    seconds: float
    delivery: Delivery | None = None

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {
            "events": self.events,
            "skipped_rows": self.skipped,
            "devices": self.devices,
            "metrics": list(self.metrics),
            "from": self.first,
            "to": self.last,
            "seconds": round(self.seconds, 3),
            **({"http": self.delivery.document()} if self.delivery else {}),
        }

    def text(self) -> str:
        """For people."""
        skipped = f" ({self.skipped:,} rows skipped: no time, device or reading)" if self.skipped else ""
        return (
            f"sent {self.events:,} events of {self.devices:,} devices in {self.seconds:.1f} s{skipped}\n"
            f"times {self.first} to {self.last}; metrics {', '.join(self.metrics)}"
            + (f"\n{self.delivery.text()}" if self.delivery else "")
        )
