"""A fleet's events without Kafka: what lies in the past by bare COPY, what comes now by ingestion's own transaction."""

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import psycopg

from ingestion_service.batch import Batch, Span
from ingestion_service.columns import Rows, copy_blocks
from ingestion_service.pairs import Pairs
from ingestion_service.store import Store
from shared import pgcopy
from shared.failpoints import Failpoints
from shared.settings import DatabaseSettings
from tests.benchmarks.load import DAY_S, METRICS, device_names
from tests.servers import Database

DEVICES = 1_000
ALL = range(1, DEVICES + 1)  # ids: a new database gives them from 1 on
_LAYOUT = 1
_BATCH = 20  # events of each device are sorted together, as in a batch of ingestion
_US = 1_000_000


@dataclass(frozen=True)
class Stretch:
    """`count` events of each device, one every `step_s` seconds from `start_s` (epoch seconds) on.

    `digits`: decimals of the readings; None: all that a double has.
    """

    start_s: int
    count: int
    step_s: int = 1
    devices: range = ALL
    digits: int | None = None

    @property
    def events(self) -> int:
        """Of all devices."""
        return self.count * len(self.devices)

    @property
    def readings(self) -> int:
        """Of all devices."""
        return self.events * len(METRICS)

    @property
    def end_s(self) -> int:
        """When the first event after it would be."""
        return self.start_s + self.count * self.step_s

    def batches(self) -> Iterator[Rows]:
        """Its events in the order in which they would come, some of each device at a time, sorted by the key."""
        generator = np.random.default_rng(self.start_s)
        device = np.array(self.devices, np.int32)
        for first in range(0, self.count, _BATCH):
            number = np.arange(first, min(first + _BATCH, self.count), dtype=np.int64)
            ts = np.tile((self.start_s + number * self.step_s) * _US, len(device))
            yield rows(np.repeat(device, len(number)), ts, generator, self.digits)


def rows(
    device: npt.NDArray[np.int32],
    ts_us: npt.NDArray[np.int64],
    generator: np.random.Generator,
    digits: int | None = None,
) -> Rows:
    """Events with new readings; device and time are sorted already."""
    values = generator.normal(50, 10, (len(ts_us), len(METRICS)))
    if digits is not None:
        values = values.round(digits)
    return Rows(_LAYOUT, device, ts_us, values, np.arange(len(ts_us), dtype=np.int64), None)


def register(connection: psycopg.Connection, devices: int = DEVICES) -> None:
    """Makes a new database know so many devices, all with METRICS."""
    connection.execute("SELECT count(*) FROM register_devices(%s, %s)", [device_names(devices), devices])
    connection.execute("SELECT register_layout(%s, 1)", [list(METRICS)])
    connection.execute("INSERT INTO device_layouts SELECT id, %s FROM devices", [_LAYOUT])


def fill(connection: psycopg.Connection, stretches: Sequence[Stretch]) -> None:
    """Writes events that no watermark has passed, and leaves the table as autovacuum does."""
    for stretch in stretches:
        ensure_days(connection, stretch.start_s, stretch.end_s)
    with connection.cursor() as cursor, cursor.copy("COPY events FROM STDIN (FORMAT binary)") as copy:
        copy.write(pgcopy.HEADER)
        for stretch in stretches:
            for batch in stretch.batches():
                for block in copy_blocks(batch):
                    copy.write(block)
        copy.write(pgcopy.TRAILER)
    connection.execute("VACUUM ANALYZE events")  # nobody pays for hint bits


def ensure_days(connection: psycopg.Connection, start_s: float, end_s: float) -> None:
    """Makes the partitions of a range of time."""
    days = range(int(start_s) // DAY_S, -(-int(end_s) // DAY_S) + 1)
    names = [str(np.datetime64(day, "D")) for day in days]
    connection.execute("SELECT ensure_event_partitions(%s::date[])", [names])


def conninfo(database: Database, service: str) -> str:
    """How the service's own role connects."""
    variables = {name.lower(): value for name, value in database.environment(service).items()}
    return DatabaseSettings.model_validate(variables).conninfo()


class Arrivals:
    """Writes events by the transaction that ingestion writes a batch with, which logs those that come late."""

    def __init__(self, database: Database) -> None:
        self._store = Store(conninfo(database, "ingestion"), uuid.uuid4(), Failpoints(""))
        claim = self._store.claim("arrivals", 0, "arrivals", 0)
        assert claim is not None
        self._claim, self._next = claim, claim.next_offset

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._store.close()

    def write(self, new: Rows) -> int:
        """One batch; returns how many of its events came late."""
        nothing, first, self._next = np.empty(0, np.int32), self._next, self._next + len(new)
        span = Span(self._claim, first, self._next, records=len(new), persisted=len(new))
        batch = Batch([span], [], nothing, [])
        return self._store.write(batch, [new], list(copy_blocks(new)), Pairs(nothing, nothing))


def due(rate: float, elapsed_s: float, sent: int) -> int:
    """How many events of an even stream are to be sent now."""
    return max(0, int(rate * elapsed_s) - sent)


def stream(database: Database, rate: int, seconds: float, late: float = 0.0, tick_s: float = 0.2) -> int:
    """Writes so many events a second evenly, of all devices in turn; returns how many came late.

    `late`: the share of them that happened at some time of the last 24 hours, the others happen just now.
    """
    generator = np.random.default_rng(23)
    ensured = time.time() + seconds
    with database.connect() as connection:
        ensure_days(connection, ensured - seconds - DAY_S, ensured)
    sent = came_late = 0
    with Arrivals(database) as arrivals:
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            if count := due(rate, elapsed, sent):
                number = sent + np.arange(count)
                ts = int(time.time() * _US) + np.arange(count)
                chosen = generator.random(count) < late
                ts[chosen] -= generator.integers(120 * _US, DAY_S * _US, int(chosen.sum()))
                device = (1 + number % DEVICES).astype(np.int32)
                order = np.lexsort((ts, device))
                came_late += arrivals.write(rows(device[order], ts[order], generator))
                sent += count
            time.sleep(max(0.0, tick_s - (time.monotonic() - began - elapsed)))
    return came_late
