"""Events of many requests at once: judged in one call, handed to Kafka in one call.

A few wait a millisecond for others to go with. A large request is cut, so that others get their turn in between.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from api_service.auth.claims import Principal
from api_service.gateway.metrics import GatewayMetrics
from api_service.gateway.outlet import Delivery, Outlet
from api_service.problems import unavailable
from shared import tracing
from shared.events import Decoder, Limits

_AT_ONCE = 1_000  # events: one or two milliseconds
_GATHER_S = 0.001
_ENOUGH = 32  # events that don't wait: judging more at once is hardly cheaper for each

FORBIDDEN_DEVICE = "forbidden_device"


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why the event at `index` of a request was not taken."""

    index: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request's events: those at `index` are in Kafka, at these partitions and offsets."""

    index: Sequence[int]
    partition: Sequence[int]
    offset: Sequence[int]
    rejected: Sequence[Rejected]


class _Request:
    """One that is being taken: `judged` of its events are already."""

    __slots__ = ("delivery", "headers", "judged", "rejected", "values", "who")

    def __init__(self, values: Sequence[bytes], who: Principal, headers: Sequence[tuple[str, str]]) -> None:
        self.values, self.who, self.headers = values, who, headers
        self.judged = 0
        self.rejected: list[Rejected] = []
        self.delivery = Delivery(len(values))


class Intake:
    """For one event loop."""

    def __init__(self, limits: Limits, outlet: Outlet, metrics: GatewayMetrics) -> None:
        self._decoder, self._outlet, self._metrics = Decoder(limits), outlet, metrics
        self._sending = outlet.sending()
        self._accepted = metrics.events.labels("accepted")
        self._line: deque[_Request] = deque()
        self._due = False  # in this turn of the loop
        self._later: asyncio.TimerHandle | None = None
        self.waiting = 0  # events that aren't judged yet
        metrics.waiting.set_function(lambda: self.waiting)

    async def take(self, values: Sequence[bytes], who: Principal) -> Taken:
        """Judges events and returns once Kafka has all that can be taken.

        Raises:
            Problem: 503, Kafka didn't confirm each of them; some may be there nevertheless.
        """
        with tracing.child(*self._sending) as span:
            request = _Request(values, who, tracing.headers(span))
            self._line.append(request)
            self.waiting += len(values)
            self._schedule()
            started = time.monotonic()
            await request.delivery.done
            taken = self._taken(request)
            self._metrics.confirm_seconds.observe(time.monotonic() - started)
            return taken

    def _taken(self, request: _Request) -> Taken:
        delivery, count = request.delivery, len(request.values)
        if delivery.error is not None:
            self._metrics.events.labels("unconfirmed").inc(count - len(request.rejected))
            raise unavailable("Kafka didn't confirm all events in time. Sending them again does no harm.")
        rejected = request.rejected
        self._accepted.inc(count - len(rejected))
        if not rejected:
            return Taken(range(count), delivery.partition, delivery.offset, rejected)
        for each in rejected:
            self._metrics.events.labels(each.code).inc()
        gone = {each.index for each in rejected}
        index = [i for i in range(count) if i not in gone]
        return Taken(index, [delivery.partition[i] for i in index], [delivery.offset[i] for i in index], rejected)

    def _schedule(self) -> None:
        """The next turn: at once, or a moment later."""
        loop = asyncio.get_running_loop()
        if self._due:
            return
        if self.waiting < _ENOUGH:
            self._later = self._later or loop.call_later(_GATHER_S, self._run)
        else:
            self._due = True
            loop.call_soon(self._run)

    def _run(self) -> None:
        """One turn: so many of the waiting events as go at once."""
        if self._later is not None:
            self._later.cancel()
        self._due, self._later = False, None
        turn: list[tuple[_Request, int, int]] = []
        room = _AT_ONCE
        while self._line and room:
            request = self._line[0]
            start, stop = request.judged, min(len(request.values), request.judged + room)
            turn.append((request, start, stop))
            request.judged, room = stop, room - (stop - start)
            if stop == len(request.values):
                self._line.popleft()
            else:
                self._line.rotate(-1)
                break
        self.waiting -= _AT_ONCE - room
        if self._line:
            self._schedule()
        try:
            self._judge(turn)
        except Exception as error:  # noqa: BLE001  a fault of ours: whoever waits for this turn is told
            for request, _, _ in turn:
                request.delivery.give_up(error)

    def _judge(self, turn: Sequence[tuple[_Request, int, int]]) -> None:
        values = [value for request, start, stop in turn for value in request.values[start:stop]]
        decoded = self._decoder.decode(values, time.time_ns() // 1000)
        devices: list[str | None] = [None] * len(values)
        for group in decoded.groups:
            for position, device in zip(group.position.tolist(), group.device, strict=True):
                devices[position] = device
        refusals = iter(decoded.rejects)  # by position
        judged = iter(zip(values, devices, strict=True))
        messages: list[dict[str, Any]] = []
        for request, start, stop in turn:
            delivery, before = request.delivery, len(request.rejected)
            # The range comes first: where it ends, nothing of the next request's is taken.
            for index, (value, key) in zip(range(start, stop), judged, strict=False):
                if key is None:
                    reason = next(refusals)
                    request.rejected.append(Rejected(index, reason.code, reason.detail))
                elif not request.who.covers(key):
                    request.rejected.append(Rejected(index, FORBIDDEN_DEVICE, "the token doesn't cover this device"))
                else:
                    fate = partial(self._outlet.delivered, delivery, index)
                    message: dict[str, Any] = {"value": value, "key": key, "callback": fate}
                    if request.headers:
                        message["headers"] = request.headers
                    messages.append(message)
            delivery.settle(len(request.rejected) - before)
        if messages:
            self._outlet.send(messages, headers=tracing.on() and any(request.headers for request, _, _ in turn))
