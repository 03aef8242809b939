"""Events in a database, and statistics of them as far as a test wants them stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import psycopg

from shared import pgcopy
from shared.statistics import rollup, stored

MICROS = 1_000_000
LEVELS = (60, 3_600, 86_400)

Readings = Mapping[str, float]


def at(text: str) -> int:
    """Microseconds of an ISO time, in UTC without an offset."""
    time = datetime.fromisoformat(text)
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * MICROS)


@dataclass
class Warehouse:
    connection: psycopg.Connection
    devices: dict[str, int] = field(default_factory=dict)
    layouts: dict[tuple[str, ...], int] = field(default_factory=dict)
    metrics: dict[str, int] = field(default_factory=dict)
    # Every reading: (device id, metric, µs, value).
    readings: list[tuple[str, str, int, float]] = field(default_factory=list)

    def add(self, events: Sequence[tuple[str, int, Readings]], extras: str | None = None) -> None:
        """Stores events: (device id, µs, readings), all with these extras (JSON)."""
        self._register(events)
        days = sorted({datetime.fromtimestamp(ts / MICROS, UTC).date() for _, ts, _ in events})
        self.connection.execute("SELECT ensure_event_partitions(%s)", [days])
        with self.connection.cursor().copy("COPY events (device, ts, layout, values, extras) FROM STDIN") as copy:
            for device_id, ts, readings in events:
                names = tuple(sorted(readings))
                time = datetime.fromtimestamp(ts // MICROS, UTC).replace(microsecond=ts % MICROS)
                values = [readings[name] for name in names]
                copy.write_row((self.devices[device_id], time, self.layouts[names], values, extras))
        self.readings += [(device, name, ts, value) for device, ts, own in events for name, value in own.items()]

    def add_late(self, events: Sequence[tuple[str, int, Readings]]) -> None:
        """Stores events below the watermark, which the stored statistics don't hold yet."""
        self.add(events)
        for device_id, ts, readings in events:
            bucket = datetime.fromtimestamp(ts // (60 * MICROS) * 60, UTC)
            self.connection.execute(
                "INSERT INTO dirty (bucket, device, layout, events) VALUES (%s, %s, %s, 1)",
                [bucket, self.devices[device_id], self.layouts[tuple(sorted(readings))]],
            )

    def store(self, watermark: int, late: int = 0, *, analyze: bool = True) -> None:
        """Stores the statistics of all buckets that end before `watermark` (µs), each with so many late readings.

        `analyze`: the planner gets figures of them.
        """
        columns = self._columns()
        for level in LEVELS:
            width = level * MICROS
            until = watermark // width * width
            moment = datetime.fromtimestamp(until // MICROS, UTC)
            self.connection.execute("UPDATE materialized SET until = %s WHERE level = %s", [moment, level])
            self.connection.execute("UPDATE watermarks SET watermark = %s WHERE level = %s", [moment, level])
            self._store_level(level, until, columns, late)
        if analyze:
            self.connection.execute("ANALYZE")

    def _store_level(self, level: int, until: int, columns: tuple[npt.NDArray[np.int64], ...], late: int) -> None:
        width = level * MICROS
        device, metric, ts, value = (column[columns[2] < until] for column in columns)
        if len(ts) == 0:
            return
        bucket = (ts // width * width).view("datetime64[us]")
        made = rollup(device.astype(np.int32), metric.astype(np.int32), bucket, value.view(np.float64))
        first, last = (datetime.fromtimestamp(int(edge) // MICROS, UTC) for edge in (ts.min(), ts.max() + width))
        self.connection.execute("SELECT ensure_stats_partitions(%s, %s, %s)", [level, first, last])
        with self.connection.cursor().copy(f"COPY stats ({stored.COLUMNS}) FROM STDIN (FORMAT binary)") as copy:
            copy.write(pgcopy.HEADER)
            for block in stored.blocks(level, made.with_late(np.full(len(made), late))):
                copy.write(block)
            copy.write(pgcopy.TRAILER)

    def _columns(self) -> tuple[npt.NDArray[np.int64], ...]:
        """Device, metric, µs and the value's bits."""
        return (
            np.array([self.devices[device] for device, _, _, _ in self.readings], np.int64),
            np.array([self.metrics[metric] for _, metric, _, _ in self.readings], np.int64),
            np.array([ts for _, _, ts, _ in self.readings], np.int64),
            np.array([value for _, _, _, value in self.readings], np.float64).view(np.int64),
        )

    def _register(self, events: Sequence[tuple[str, int, Readings]]) -> None:
        for device_id, _, readings in events:
            names = tuple(sorted(readings))
            if device_id not in self.devices:
                row = self.connection.execute("SELECT id FROM register_devices(%s, 1000000)", [[device_id]]).fetchone()
                assert row is not None
                self.devices[device_id] = row[0]
            if names not in self.layouts:
                row = self.connection.execute("SELECT register_layout(%s, 1000000)", [list(names)]).fetchone()
                assert row is not None
                self.layouts[names] = row[0]
                self.metrics |= dict(self.connection.execute("SELECT name, id FROM metrics").fetchall())
            self.connection.execute(
                "INSERT INTO device_layouts VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [self.devices[device_id], self.layouts[names]],
            )
