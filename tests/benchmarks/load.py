"""What the benchmarks send: a fleet's events as Kafka records and as the columns that they are stored as."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry

from simulator.metrics import Metrics
from simulator.publisher import KafkaPublisher
from simulator.record import Record
from tests.servers import Topics

METRICS = ("humidity", "pressure", "temperature", "voltage")
START_S = 1_735_689_600  # 2025-01-01T00:00Z: in the past of every clock, and young enough
DAY_S = 86_400
_CHUNK = 10_000
_READINGS = 100_000  # different readings

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


def metric_names(width: int) -> tuple[str, ...]:
    """So many names, sorted by code point."""
    return METRICS if width == len(METRICS) else tuple(f"metric_{i:02d}" for i in range(width))


@dataclass(frozen=True)
class Load:
    """A fleet that sends in turn, a turn a second: event i is of device i % devices.

    `layouts`: sets of metric names; all devices go through all of them. `shuffled`: each device's events come out of
    order, spread over a day. `flat`: the flat form with epoch seconds. `extra_bytes`: text beside the metrics.
    """

    events: int
    devices: int = 1_000
    layouts: tuple[tuple[str, ...], ...] = (METRICS,)
    start_s: int = START_S
    shuffled: bool = False
    flat: bool = False
    extra_bytes: int = 0

    @cached_property
    def turns_s(self) -> I64:
        """Time of each turn in seconds since 1970."""
        turns = -(-self.events // self.devices)
        if not self.shuffled:
            return self.start_s + np.arange(turns)
        return self.start_s + np.random.default_rng(3).permutation(turns) * (DAY_S // turns)

    def readings(self, number: I64) -> F64:
        """(len(number), widest layout) readings of these events."""
        return _readings()[self._picks[number]]

    @cached_property
    def _picks(self) -> I64:
        """Which of the readings each event has: a text is made once and looked up."""
        widest = max(map(len, self.layouts))
        return np.random.default_rng(7).integers(0, _READINGS, (self.events, widest))

    def chunks(self) -> Iterator[list[Record]]:
        """The records, some thousands at once."""
        texts = np.array([repr(reading).encode() for reading in _readings().tolist()], np.object_)
        names = np.array([name.encode() for name in device_names(self.devices)], np.object_)
        stamps = np.array([self._stamp(second) for second in self.turns_s.tolist()], np.object_)
        templates = [(self._template(layout), len(layout)) for layout in self.layouts]
        for first in range(0, self.events, _CHUNK):
            number = np.arange(first, min(first + _CHUNK, self.events))
            turn, device = np.divmod(number, self.devices)
            rows = zip(
                names[device].tolist(),
                stamps[turn].tolist(),
                texts[self._picks[number]].tolist(),
                ((number + turn) % len(templates)).tolist(),
                strict=True,
            )
            yield [
                {"key": name, "value": templates[k][0] % (name, stamp, *readings[: templates[k][1]])}
                for name, stamp, readings, k in rows
            ]

    def _stamp(self, second: int) -> bytes:
        return str(second if self.flat else f'"{np.datetime64(second, "s")}.000Z"').encode()

    def _template(self, layout: tuple[str, ...]) -> bytes:
        readings = ",".join(f'"{name}":%b' for name in layout)
        extra = f',"note":"{_text(self.extra_bytes)}"' if self.extra_bytes else ""
        usual = f'{{"device_id":"%b","timestamp":%b,"data_payload":{{{readings}}}{extra}}}'
        return (f'{{"device":"%b","timestamp":%b,{readings}{extra}}}' if self.flat else usual).encode()


def device_names(count: int) -> list[str]:
    """The fleet's device ids."""
    return [f"device-{number:06d}" for number in range(count)]


@cache
def _readings() -> F64:
    return np.round(np.random.default_rng(11).normal(50, 20, _READINGS), 5)


def _text(length: int) -> str:
    """Text that doesn't compress to nothing."""
    return np.random.default_rng(5).bytes(length).hex()[:length]


def produce(topics: Topics, chunks: Iterable[list[Record]]) -> int:
    """Publishes all and returns the mean size of a value in bytes."""
    publisher = KafkaPublisher(topics.settings, threading.Event(), Metrics(CollectorRegistry()))
    size = count = 0
    for chunk in chunks:
        publisher.publish(chunk)
        size, count = size + sum(len(record["value"]) for record in chunk), count + len(chunk)
    publisher.close()
    return size // count
