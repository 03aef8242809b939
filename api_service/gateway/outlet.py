"""The way into Kafka: bounded, and confirmed for each event before anybody hears of it.

librdkafka's answers are fetched by the event loop itself while something is on its way: no thread takes turns with it.
"""

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from confluent_kafka import KafkaError, Message, Producer

from api_service.gateway.metrics import GatewayMetrics
from api_service.problems import Problem, unavailable
from api_service.settings import ApiSettings
from shared import kafka, log, tracing
from shared.tracing import Attributes, Kind

_POLL_S = 0.001
_LINGER_MS = 1
# Kafka that has confirmed nothing for so long while it should is taken for away: nobody else is made to wait for it.
_STALLED_S = 2.0
_CLOSE_S = 4.0
_log = log.get(__name__)


class Delivery:
    """The events of one request on their way: by their place in it, the partition and offset that Kafka gave them."""

    __slots__ = ("done", "error", "left", "offset", "partition")

    def __init__(self, count: int) -> None:
        self.left = count
        self.partition = [-1] * count
        self.offset = [-1] * count
        self.error: KafkaError | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self, count: int) -> None:
        """So many more of its events wait for nothing any longer."""
        self.left -= count
        if not self.left and not self.done.done():
            self.done.set_result(None)

    def give_up(self, error: Exception) -> None:
        """Nobody will say what becomes of the rest."""
        if not self.done.done():
            self.done.set_exception(error)


class Outlet:
    """A producer and what it has in flight."""

    def __init__(self, settings: ApiSettings, metrics: GatewayMetrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._producers: list[Producer] = []  # the last one sends; those before it only have something in flight
        self._in_flight = 0
        self._bytes = 0
        self._moved = 0.0  # when Kafka last confirmed or refused something, or had nothing to
        self._failing = False  # so did the last event
        self._timer: asyncio.TimerHandle | None = None
        self._context = contextvars.Context()  # of no request: each polls for all of them
        metrics.in_flight.set_function(lambda: self._in_flight)
        metrics.queue_events.set(settings.gateway_queue_events)
        metrics.held_bytes.set_function(lambda: self._bytes)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """The producer is there in the block; Kafka needn't be."""
        self._producers = [self._made()]
        try:
            yield
        finally:
            await asyncio.to_thread(self._producers[-1].flush, _CLOSE_S)

    def hold(self, size: int) -> None:
        """Counts bytes that a request brings; `release` gives them back.

        Raises:
            Problem: 503, others hold as much as there may be.
        """
        if self._bytes and self._bytes + size > self._settings.gateway_queue_bytes:
            raise self._busy("bytes")
        self._bytes += size

    def release(self, size: int) -> None:
        """What `hold` counted."""
        self._bytes -= size

    def admit(self, events: int, ahead: int, away: bool) -> None:
        """Whether so many events may be sent now, behind those that were let in and aren't handed over yet.

        Raises:
            Problem: 503, the queue is full, or Kafka confirms nothing, or is `away` and took not even the last event.
        """
        if away and self._failing:
            raise self._busy("away")
        if self._in_flight and time.monotonic() - self._moved > _STALLED_S:
            raise self._busy("stalled")
        ahead += self._in_flight
        if ahead and ahead + events > self._settings.gateway_queue_events:
            raise self._busy("events")

    def trouble(self) -> str | None:
        """Why Kafka can't be relied on just now."""
        if self._in_flight and time.monotonic() - self._moved > _STALLED_S:
            return f"it has confirmed nothing for more than {_STALLED_S:.0f} s → see the broker's log"
        return None

    def sending(self) -> tuple[str, Kind, Attributes]:
        """The span of a request's events on their way."""
        topic = self._settings.topic_readings
        return f"send {topic}", "producer", tracing.messaging(topic, "send")

    def send(self, messages: list[dict[str, Any]], *, headers: bool = False) -> None:
        """Hands messages over, each with its `callback`, which is called from the event loop once its fate is known.

        `headers`: some have such.
        """
        if not self._in_flight:
            self._moved = time.monotonic()
        if headers:
            kafka.produce_each(self._producers[-1], self._settings.topic_readings, messages)
        else:
            self._producers[-1].produce_batch(self._settings.topic_readings, messages)
        self._in_flight += len(messages)
        for message in messages:
            if "_error" in message:
                message["callback"](message["_error"], None)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_POLL_S, self._poll, context=self._context)

    def delivered(self, delivery: Delivery, place: int, error: KafkaError | None, message: Message | None) -> None:
        """The fate of one event: what a message's callback calls."""
        self._in_flight -= 1
        if error is None and message is not None:
            delivery.partition[place] = cast("int", message.partition())
            delivery.offset[place] = cast("int", message.offset())
            self._failing = False
        elif error is not None:
            delivery.error = error
            self._failing = True
            self._failed(error)
        delivery.settle(1)

    def _poll(self) -> None:
        self._timer = None
        if sum(producer.poll(0) for producer in self._producers):
            self._moved = time.monotonic()
        self._producers = [each for each in self._producers[:-1] if len(each)] + self._producers[-1:]
        if self._in_flight:
            self._timer = asyncio.get_running_loop().call_later(_POLL_S, self._poll, context=self._context)

    def _failed(self, error: KafkaError) -> None:
        self._metrics.failures.labels(error.name()).inc()
        if error.fatal() and len(self._producers) == 1:  # others that were on their way fail like the first
            self._replace(error)

    def _replace(self, error: KafkaError) -> None:
        """A producer with a fatal error sends nothing any more: what it has in flight fails."""
        _log.error("producer_replaced", reason=error.str())
        self._producers[-1].purge()
        self._producers = [*self._producers, self._made()]

    def _busy(self, what: str) -> Problem:
        self._metrics.busy.labels(what).inc()
        return unavailable("Kafka doesn't take events fast enough, or not at all; nothing was accepted.")

    def _made(self) -> Producer:
        settings = self._settings
        return kafka.producer(
            settings,
            linger_ms=_LINGER_MS,
            message_timeout_ms=int(settings.gateway_timeout_seconds * 1000),
            message_max_bytes=2 * settings.max_event_bytes + 65_536,
            queue_buffering_max_messages=2 * settings.gateway_queue_events + settings.max_events_per_request,
        )
