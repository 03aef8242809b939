"""A fleet's records in the order in which they are sent, planned faults carried out."""

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from simulator.encode import rfc3339
from simulator.faults import Fault, FaultPlanner, Plan
from simulator.fleet import Fleet
from simulator.malformed import MALFORMED, Maker
from simulator.noise import I64
from simulator.readings import Readings
from simulator.record import Record

_NOTHING: Record = {}
"""In the place of an event that is held back."""


@dataclass
class Sent:
    """What was handed over for sending."""

    events: int = 0
    """Events of the fleet, each counted once."""
    records: int = 0
    """Records: events and second copies, less what is still held back."""
    faults: Counter[Fault] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    """Malformed events by the code of the wire contract that they deserve."""

    def copy(self) -> "Sent":
        """The numbers as they are now."""
        return Sent(self.events, self.records, self.faults.copy(), self.codes.copy())


class Stream:
    """Turns consecutive ranges of event numbers into records. How the whole is cut into ranges changes nothing."""

    def __init__(
        self,
        fleet: Fleet,
        planner: FaultPlanner,
        seed: int,
        malformed: Sequence[tuple[str, Maker]] = MALFORMED,
    ) -> None:
        self.sent = Sent()
        self._fleet = fleet
        self._planner = planner
        self._malformed = malformed
        self._readings = Readings(fleet, seed)
        # (event number after which it is sent, its own number, record), a heap.
        self._held: list[tuple[int, int, Record]] = []

    def records(self, first: int, stop: int) -> list[Record]:
        """Events `first` to `stop` (exclusive), less those held back, and what was held back until then."""
        numbers = np.arange(first, stop, dtype=np.int64)
        ready = self._readings.records(numbers)
        plan = self._planner.plan(numbers)
        self._hold(numbers, ready, plan)
        self._spoil(numbers, ready, plan)
        self.sent.events += len(numbers)
        for fault, count in enumerate(np.bincount(plan.fault)):
            self.sent.faults[Fault(fault)] += int(count)
        records = self._merged(first, stop, ready)
        self.sent.records += len(records)
        return records

    def rest(self) -> list[Record]:
        """What is still held back, in order: for the end of a run."""
        records = [record for _, _, record in sorted(self._held, key=lambda held: held[:2])]
        self._held.clear()
        self.sent.records += len(records)
        return records

    def _hold(self, numbers: I64, ready: list[Record], plan: Plan) -> None:
        """Holds back delayed events and second copies."""
        conflicting = np.flatnonzero(plan.fault == Fault.CONFLICT)
        copies = dict(zip(conflicting.tolist(), self._readings.records(numbers[conflicting], differ=True), strict=True))
        for at in np.flatnonzero(plan.delay).tolist():
            record = copies.get(at) or ready[at]
            if plan.fault[at] in (Fault.LATE, Fault.OUT_OF_ORDER):
                ready[at] = _NOTHING
            number = int(numbers[at])
            heapq.heappush(self._held, (number + int(plan.delay[at]), number, record.copy()))

    def _spoil(self, numbers: I64, ready: list[Record], plan: Plan) -> None:
        """Puts something malformed in the place of the events that are planned so."""
        places = np.flatnonzero(plan.fault == Fault.MALFORMED)
        devices, times = self._fleet.schedule(numbers[places])
        for at, device, time in zip(places.tolist(), devices.tolist(), rfc3339(times), strict=True):
            code, make = self._malformed[int(plan.variant[at]) % len(self._malformed)]
            self.sent.codes[code] += 1
            ready[at] = make(self._fleet.device_id(device), time) | {"code": code}

    def _merged(self, first: int, stop: int, ready: list[Record]) -> list[Record]:
        """`ready`, with each record that was held back put right after the event number that it waited for."""
        merged: list[Record] = []
        done = 0
        while self._held and self._held[0][0] < stop:
            after, _, record = heapq.heappop(self._held)
            upto = after - first + 1
            merged += ready[done:upto]
            merged.append(record)
            done = max(done, upto)
        merged += ready[done:]
        return [record for record in merged if record]
