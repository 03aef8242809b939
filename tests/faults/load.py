"""A load that runs while faults happen, and remembers what Kafka accepted of it."""

import itertools
import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from confluent_kafka import KafkaError, Message

from shared import kafka
from tests.aggregated import DAY
from tests.servers import Topics

_TICK_S = 0.02
_WINDOW = 1_000  # events that a shuffled load mixes


@dataclass(frozen=True)
class Shape:
    """What is sent: numbers 0, 1, 2, … as events of several devices, keyed by device."""

    rate: int = 2_000  # records a second
    burst: int = 0  # records at once, to begin with
    devices: int = 97
    poison_every: int = 7  # every so many-th is no event at all; 0: none, 1: all
    copies: int = 1  # of each record
    shuffle_seed: int | None = None  # mixes windows of events
    padding: int = 0  # bytes of text that an event carries along; it doesn't compress to less than half
    first: int = 0  # number; a load that follows another one starts beyond it

    def poison(self, number: int) -> bool:
        """Whether this one can't be taken."""
        return self.poison_every > 0 and number % self.poison_every == 0

    def identity(self, number: int) -> tuple[str, int]:
        """Device and second since 1970; the day is closed at every level of the statistics."""
        return f"d{number % self.devices}", DAY + number // self.devices

    def value(self, number: int) -> bytes:
        """The record's bytes. Its number is metric `m`; events are of two layouts."""
        if self.poison(number):
            return b"poison %d" % number
        device, second = self.identity(number)
        metrics: dict[str, object] = {"m": number} if number % 3 else {"m": number, "k": 1}
        if self.padding:
            metrics["note"] = random.Random(number).randbytes(self.padding // 2).hex()
        return json.dumps({"device_id": device, "timestamp": second, "data_payload": metrics}).encode()

    def order(self) -> Iterator[int]:
        """The numbers, without end, as they are sent."""
        mixed = random.Random(self.shuffle_seed)
        for start in itertools.count(self.first, _WINDOW):
            window = [number for number in range(start, start + _WINDOW) for _ in range(self.copies)]
            if self.shuffle_seed is not None:
                mixed.shuffle(window)
            yield from window


@dataclass
class Accepted:
    """What Kafka has confirmed: (number, partition, offset) of each record; `unknown` may be there or not."""

    shape: Shape
    records: list[tuple[int, int, int]] = field(default_factory=list)
    unknown: set[int] = field(default_factory=set)
    # Offsets, by partition, that the test took away before they were read: their events may be missing.
    gone: dict[int, range] = field(default_factory=dict)


class Load:
    """Produces from `start` until `stop`; `accepted` grows meanwhile."""

    def __init__(self, topics: Topics, shape: Shape) -> None:
        self.accepted = Accepted(shape)
        self._topic = topics.settings.topic_readings
        self._producer = kafka.producer(topics.settings, linger_ms=5)
        self._shape = shape
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether more is to come."""
        return self._thread.is_alive() and not self._stopping.is_set()

    def stop(self) -> None:
        """Ends once Kafka has confirmed, or refused, all that was sent."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._thread.join(30)
            assert not self._thread.is_alive(), "the load doesn't end"
            assert self._producer.flush(60) == 0, "Kafka doesn't answer the load"

    def _run(self) -> None:
        started, numbers = time.monotonic(), self._shape.order()
        sent = 0
        while not self._stopping.wait(_TICK_S):
            due = self._shape.burst + int((time.monotonic() - started) * self._shape.rate)
            for number in itertools.islice(numbers, due - sent):
                device, _ = self._shape.identity(number)
                self._producer.produce(
                    self._topic,
                    self._shape.value(number),
                    device.encode(),
                    on_delivery=partial(self._delivered, number),
                )
            sent = due
            self._producer.poll(0)

    def _delivered(self, number: int, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.accepted.records.append((number, message.partition() or 0, message.offset() or 0))
        else:
            self.accepted.unknown.add(number)
