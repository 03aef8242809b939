"""Events of some devices in the order of /records: the newest first, then by device, then by names of metrics."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg

from api_service.query import events, times
from api_service.query import records_store as store
from api_service.query.events import Stored
from api_service.query.records_store import Device

# How much time a page covers isn't known before. It is read in windows that grow, the newest first: so few partitions
# are opened at a time, and of many devices not much more is read than the page takes.
_FIRST_WINDOW = 60 * times.SECOND
_GROWTH = 8


@dataclass(frozen=True, slots=True)
class Place:
    """A row's place in the order: its `ts` in µs, and the layout for its names of metrics."""

    ts: int
    device_id: str
    layout: int


class History:
    """What a snapshot holds of these devices; `filtered`: in the layouts that they name only."""

    def __init__(self, connection: psycopg.AsyncConnection, devices: Sequence[Device], *, filtered: bool) -> None:
        layouts = sorted({layout for device in devices for layout in device.layouts})
        self._connection = connection
        self._layouts = layouts if filtered else None
        self._device_ids = {device.id: device.device_id for device in devices}
        self._devices = [device.id for device in devices if device.layouts or not filtered]
        self._names: dict[int, list[str]] = {}

    async def newest(self, start: int, end: int, most: int, after: Place | None) -> list[Stored]:
        """The first `most` rows in [start, end) (µs) that follow `after`."""
        if not self._devices:
            return []
        found: list[Stored] = []
        if after is not None:
            end = min(end, max(start, after.ts + 1))
            if start <= after.ts < end:
                await self._learn([after.layout])
                last = self._key(after.ts, after.device_id, after.layout)
                # All that is as old as the last row comes, however much it is.
                found = [row for row in await self._window(after.ts, end, most) if self._key_of(row) > last]
                end = after.ts
        for low, high in windows(start, end):
            if len(found) >= most:
                break
            found += await self._window(low, high, most - len(found))
        return found[:most]

    async def rendered(self, rows: Sequence[Stored]) -> list[bytes]:
        """The rows as an answer has them, as many as a page may have bytes."""

        async def extras(large: Sequence[Stored]) -> Sequence[str]:
            return await store.extras(self._connection, large)

        return await events.rendered(rows, self._device_ids, self._names, extras)

    def place(self, row: Stored) -> Place:
        """Where the row is."""
        return Place(times.micros_of(row.ts), self._device_ids[row.device], row.layout)

    async def _window(self, start: int, end: int, most: int) -> list[Stored]:
        """At least the first `most` rows of the window, in order."""
        rows = await store.events(self._connection, self._devices, self._layouts, start, end, most)
        await self._learn({row.layout for row in rows})
        return sorted(rows, key=self._key_of)

    async def _learn(self, layouts: Sequence[int] | set[int]) -> None:
        if missing := [layout for layout in layouts if layout not in self._names]:
            self._names |= await store.names(self._connection, missing)

    def _key_of(self, row: Stored) -> tuple[int, str, list[str]]:
        return self._key(times.micros_of(row.ts), self._device_ids[row.device], row.layout)

    def _key(self, ts: int, device_id: str, layout: int) -> tuple[int, str, list[str]]:
        return (-ts, device_id, self._names.get(layout, []))


def windows(start: int, end: int) -> Iterator[tuple[int, int]]:
    """[start, end) in pieces, backwards, each longer than the one before."""
    length = _FIRST_WINDOW
    while start < end:
        low = max(start, end - length)
        yield low, end
        end, length = low, length * _GROWTH
