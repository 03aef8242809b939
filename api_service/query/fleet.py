"""All devices together: from statistics across devices where there are some, from those of the devices elsewhere.

across devices   |.|.|.|.|.|.|.|.|s|.|.|d|.|.|        s: stale, late data changed a device's statistics
of devices       |.|.|.|.|.|.|.|.|.|.|.|d|.|.|.|      d: dirty, a late event is in no statistics yet
asked           from-------------------------------to
read             rFFFFFFFFFFFFFFFF.FFFF.FFFF..rrrr    F: across, .: of devices (raw for those that are dirty), r: raw
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import psycopg

from api_service import apart
from api_service.query import fleet_store as store
from api_service.query import tile
from api_service.query.bulk_store import Counted, Wanted
from api_service.query.fleet_store import Behind
from api_service.query.plan import NONE, Level, Micros, Plan, Range, plan
from api_service.query.statistics_store import Frame
from api_service.query.tile import Cells, Found, Series, Tile
from shared.statistics import Partials, merge
from shared.statistics.readings import Readings

_CELLS = 10_000  # stored statistics of devices in memory at a time
_ALL = 0  # takes the place of a device, in series too; no device has this id


@dataclass(frozen=True, slots=True)
class Group:
    """Metrics that are read alike: `across` has the pieces of statistics across devices, the rest is read otherwise."""

    metrics: tuple[int, ...]
    across: Plan

    @property
    def rest(self) -> Sequence[Range]:
        return self.across.raw


class Fleet:
    """What the snapshot has of all devices, for the range of a question."""

    def __init__(
        self, connection: psycopg.AsyncConnection, frame: Frame, metrics: dict[str, int], devices: int, behind: Behind
    ) -> None:
        self._connection, self._frame, self._devices = connection, frame, devices
        self._levels, self._across = frame.levels(), frame.fleet_levels()
        self._behind = behind
        self.series = [Series(None, name, ((_ALL, metric),)) for name, metric in metrics.items()]

    @classmethod
    async def load(
        cls, connection: psycopg.AsyncConnection, frame: Frame, names: Sequence[str], start: int, end: int
    ) -> "Fleet":
        """The fleet's metrics, or those of them that are named, and what is behind between two moments."""
        metrics, devices = await store.metrics(connection, names)
        width = max((level.width for level in frame.levels()), default=1)
        behind = await store.behind(connection, list(metrics.values()), start // width * width, end)
        return cls(connection, frame, metrics, devices, behind)

    def cost(self, series: Sequence[Series], cuts: Micros) -> int:
        """The most stored statistics that these series have between the cuts."""
        total = 0
        for group in self._groups(series, cuts):
            own = plan(cuts, self._levels, NONE, group.rest)
            total += len(group.metrics) * sum((piece.end - piece.start) // piece.width for piece in group.across.stored)
            total += own.cells(len(group.metrics) * self._devices, self._devices)
        return total

    async def read(self, series: Sequence[Series], cuts: Micros, most_bytes: int) -> Tile:
        """As tile.read."""
        groups = self._groups(series, cuts)
        found = [Found(await self._stored(groups, most_bytes))]
        for group in groups:
            found += await self._rest(group, cuts, most_bytes) if group.rest else []
        return await tile.made(Cells(series, cuts), self._levels, found, self._waiting(cuts))

    def _waiting(self, cuts: Micros) -> Counted:
        """Readings between the cuts that are in no stored statistic yet."""
        dirty = self._behind.dirty
        width = min((level.width for level in self._levels), default=60_000_000)
        inside = (dirty.bucket >= cuts[0] // width * width) & (dirty.bucket < cuts[-1])
        return dirty.take(inside)

    def _groups(self, series: Sequence[Series], cuts: Micros) -> list[Group]:
        alike: dict[tuple[bytes, ...], tuple[Micros, dict[int, Micros], list[int]]] = {}
        for (_, metric), *_ in (one.members for one in series):
            dirty = self._dirty(metric)
            stale = {level.width: self._behind.stale.get((metric, level.width), NONE) for level in self._across}
            key = (dirty.tobytes(), *(buckets.tobytes() for buckets in stale.values()))
            alike.setdefault(key, (dirty, stale, []))[2].append(metric)
        return [
            Group(tuple(metrics), plan(cuts, self._across, dirty, stale=stale))
            for dirty, stale, metrics in alike.values()
        ]

    def _dirty(self, metric: int) -> Micros:
        """What isn't stored yet is in no statistics anyway."""
        dirty = self._behind.dirty
        until = max((level.until for level in self._levels), default=0)
        found: Micros = dirty.bucket[(dirty.metric == metric) & (dirty.bucket < until)]
        return found

    async def _stored(self, groups: Sequence[Group], most_bytes: int) -> list[Partials]:
        parts = []
        for level in self._across:
            wanted = _wanted(groups, level)
            if wanted.ranges:
                parts.append(await store.stored(self._connection, level.width, wanted, most_bytes))
        return parts

    async def _rest(self, group: Group, cuts: Micros, most_bytes: int) -> list[Found]:
        """Where there are no statistics across devices."""
        own = plan(cuts, self._levels, NONE, group.rest)
        if own.stored:
            return await self._of_devices(group, own, cuts, most_bytes)
        layouts = await store.layouts(self._connection, group.metrics)
        raw = await store.readings(self._connection, divided(own.raw, cuts), group.metrics, layouts, most_bytes)
        return [Found((), raw, await self._late(group, own.raw))]

    async def _of_devices(self, group: Group, own: Plan, cuts: Micros, most_bytes: int) -> list[Found]:
        """Some ranges at a time, each merged over the devices at once: so memory doesn't grow with them."""
        members = await store.members(self._connection, group.metrics)
        series = [Series(None, "", tuple((device, metric) for device in own)) for metric, own in members.items()]
        pending = await tile.late_data(self._connection, self._frame, series, cuts)
        found = []
        for ranges in batches(own, sum(map(len, members.values()))):
            one = await tile.gather(
                self._connection, self._frame, series, cuts, most_bytes, ranges, pending, known=None
            )
            parts = await apart.compute(one.size(), _of_all, one.parts, cuts)
            raw = one.raw and _only(one.raw, group.metrics)
            found.append(Found(parts, raw, one.late and _late_of_all(one.late)))
        return found

    async def _late(self, group: Group, raw: Sequence[Range]) -> Counted | None:
        """Late readings of the stored buckets that raw ranges cut."""
        if not self._levels:
            return None
        width = self._levels[0].width
        cut = [
            bucket for start, end in tile.closed_buckets(raw, self._levels[0]) for bucket in range(start, end, width)
        ]
        across = [bucket for bucket in cut if self._usable(group, bucket)]
        others = [bucket for bucket in cut if bucket not in across]
        return await store.late(self._connection, width, group.metrics, across, others)

    def _usable(self, group: Group, bucket: int) -> bool:
        """Whether a bucket's statistics across devices are what those of the devices are."""
        finest: Level | None = next((level for level in self._across if level.width == self._levels[0].width), None)
        stale = self._behind.stale.get((group.metrics[0], self._levels[0].width), NONE)
        return finest is not None and finest.since <= bucket < finest.until and bucket not in stale


def divided(ranges: Sequence[Range], cuts: Micros) -> list[Range]:
    """The same ranges, each in as many as it takes that no cut divides one."""
    found: list[Range] = []
    for start, end in ranges:
        inside = cuts[np.searchsorted(cuts, start, "right") : np.searchsorted(cuts, end, "left")].tolist()
        found += pairwise([start, *inside, end])
    return found


def batches(own: Plan, series: int) -> list[list[Range]]:
    """The plan's ranges, some at a time: about _CELLS stored statistics of so many series each, raw ones last."""
    found: list[list[Range]] = []
    room = 0
    for piece in own.stored:
        step = max(1, _CELLS // max(1, series)) * piece.width
        for start in range(piece.start, piece.end, step):
            end = min(piece.end, start + step)
            cells = (end - start) // piece.width * series
            if not found or cells > room:
                found.append([])
                room = _CELLS
            found[-1].append((start, end))
            room -= cells
    return [*found, list(own.raw)] if own.raw else found


def _wanted(groups: Sequence[Group], level: Level) -> Wanted:
    pieces = [[(s.start, s.end) for s in group.across.stored if s.width == level.width] for group in groups]
    return Wanted(
        series_plan=[number for number, group in enumerate(groups) for _ in group.metrics],
        device=[_ALL for group in groups for _ in group.metrics],
        metric=[metric for group in groups for metric in group.metrics],
        range_plan=[number for number, own in enumerate(pieces) for _ in own],
        ranges=[piece for own in pieces for piece in own],
    )


def _only(raw: Readings, metrics: Sequence[int]) -> Readings:
    """The readings of these metrics, of all devices as one."""
    device, metric, ts, value = raw
    ours = np.isin(metric, np.array(metrics, metric.dtype))
    if ours.all():
        return np.zeros_like(device), metric, ts, value
    return np.zeros(int(ours.sum()), device.dtype), metric[ours], ts[ours], value[ours]


def _of_all(parts: Sequence[Partials], cuts: Micros) -> list[Partials]:
    """One row a metric and cell, for all devices; its bucket is where the cell begins."""
    merged = []
    for part in parts:
        at = np.maximum(np.searchsorted(cuts, part.bucket.astype("datetime64[us]").view(np.int64), "right") - 1, 0)
        bucket = cuts[at].view("datetime64[us]")
        merged.append(dataclasses.replace(part, device=np.zeros_like(part.device), bucket=bucket))
    return [merge(merged)]


def _late_of_all(late: Counted) -> Counted:
    return dataclasses.replace(late, device=np.zeros_like(late.device))
