"""A fleet's events in a database, without Kafka: what lies in the past by bare COPY, in ingestion's order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import psycopg

from ingestion_service.columns import Rows, copy_blocks
from shared import pgcopy
from tests.benchmarks.load import DAY_S, METRICS, device_names

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
