"""Which events go wrong, and how: a plan made apart from their values, a pure function of seed and event number."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from simulator.noise import I64, U64, bits, uniform


class Fault(IntEnum):
    """What is wrong with an event; at most one thing."""

    NONE = 0
    LATE = 1
    OUT_OF_ORDER = 2
    DUPLICATE = 3
    CONFLICT = 4
    MALFORMED = 5

    @property
    def label(self) -> str:
        """As in options, summaries and metrics."""
        return self.name.lower().replace("_", "-")


MEANINGS = {
    Fault.LATE: "sent long after its time",
    Fault.OUT_OF_ORDER: "sent after later events of its device",
    Fault.DUPLICATE: "sent twice, byte for byte",
    Fault.CONFLICT: "sent twice, the second time with another value",
    Fault.MALFORMED: "replaced by something that can't be taken",
}
FAULTS = tuple(MEANINGS)


@dataclass(frozen=True)
class Plan:
    """What happens to each event of a range; arrays by event."""

    fault: npt.NDArray[np.int64]
    delay: I64
    """How many event numbers later the event (late, out of order) or its second copy (duplicate, conflict) is sent."""
    variant: I64
    """A random number ≥ 0 that picks the kind of malformed event."""


@dataclass(frozen=True)
class FaultPlanner:
    """Plans faults with the given shares of all events.

    `shares` sum to at most 1. `devices` is the fleet's size: events of one device are that many numbers apart.
    `late_events` is the longest delay of a late event in event numbers; the shortest is half of it.
    """

    key: U64
    devices: int
    late_events: int
    shares: Mapping[Fault, float] = field(default_factory=dict)

    def plan(self, number: I64) -> Plan:
        """The plan of these event numbers."""
        ends = np.cumsum([self.shares.get(fault, 0.0) for fault in FAULTS])
        place = np.searchsorted(ends, uniform(bits(self.key, 1), number), side="right")
        fault = np.where(place < len(FAULTS), place + 1, 0)
        chance = uniform(bits(self.key, 2), number)
        shortest, longest = self._delays()
        delay = (shortest[fault] + chance * (longest - shortest)[fault]).astype(np.int64)
        variant = (bits(self.key, 3) + bits(self.key, number)) >> np.uint64(1)
        return Plan(fault, delay, variant.astype(np.int64))

    def _delays(self) -> tuple[I64, I64]:
        """Least and greatest delay by fault."""
        near, far = self.devices + 1, 5 * self.devices + 1
        late = max(self.late_events, 2)
        return (
            np.array([0, late // 2, near, 1, 1, 0], np.int64),
            np.array([0, late, far, 2 * self.devices + 1, 2 * self.devices + 1, 0], np.int64),
        )
