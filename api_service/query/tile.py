"""Statistics of some series in some buckets that follow each other: read where the plans say, merged once."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import psycopg

from api_service import apart
from api_service.query import statistics_store as store
from api_service.query.bulk_store import NOTHING_COUNTED, Counted, Wanted
from api_service.query.plan import EVER, NONE, Level, Micros, Plan, Range, plan
from api_service.query.statistics_store import Frame
from shared.statistics import Partials, merge, rollup
from shared.statistics.readings import Readings

Ints = npt.NDArray[np.int64]

_MANY = 10_000


@dataclass(frozen=True, slots=True)
class Series:
    """The rows of a device's metric, or of a metric across devices (`device_id` None); members: (device, metric)."""

    device_id: str | None
    metric: str
    members: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """`partials`: n rows with readings. `cell` (n): their number, series · buckets + bucket, increasing.

    By cell, empty ones too: late readings that `partials` has not counted, and whether something is dirty inside.
    """

    partials: Partials
    cell: Ints
    more_late: Ints
    dirty: npt.NDArray[np.bool_]


class Cells:
    """Which cell a reading or a stored statistic belongs to."""

    def __init__(self, series: Sequence[Series], cuts: Micros) -> None:
        keys = np.array([(device << 32) | metric for one in series for device, metric in one.members], np.int64)
        owner = np.repeat(np.arange(len(series)), [len(one.members) for one in series])
        order = np.argsort(keys)
        self._keys, self._owner, self._cuts = keys[order], owner[order], cuts
        self.count = len(series) * (len(cuts) - 1)

    def of(self, device: npt.NDArray[np.integer], metric: npt.NDArray[np.integer], time: Micros) -> Ints:
        """Cells (n); −1: of no series here. A time before the first cut counts as the first bucket's."""
        key = (device.astype(np.int64) << 32) | metric.astype(np.int64)
        if len(key) > _MANY:
            first = np.flatnonzero(np.r_[True, (key[1:] != key[:-1]) | (time[1:] != time[:-1])])
            if len(first) < len(key) // 4:  # all devices' raw readings: their time is that of the range they are from
                return np.repeat(self._found(key[first], time[first]), np.diff(first, append=len(key)))
        return self._found(key, time)

    def _found(self, key: Ints, time: Micros) -> Ints:
        at = np.minimum(np.searchsorted(self._keys, key), len(self._keys) - 1)
        buckets = len(self._cuts) - 1
        bucket = np.clip(np.searchsorted(self._cuts, time, "right") - 1, 0, buckets - 1)
        return np.where(self._keys[at] == key, self._owner[at] * buckets + bucket, -1)


@dataclass(frozen=True, slots=True)
class Known:
    """What the caller has seen in this snapshot: nothing late waits for the devices, and these are their layouts.

    `in_time`: nothing that is stored of them was ever changed, so nothing of it was late.
    """

    layouts: Mapping[int, npt.NDArray[np.int32]]
    in_time: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What was read, each reading of it once: `late` are readings that came late and that no part has counted."""

    parts: Sequence[Partials] = ()
    raw: Readings | None = None
    late: Counted | None = None

    def size(self) -> int:
        """Bytes, roughly."""
        return sum(part.summary.nbytes for part in self.parts) + (self.raw[3].nbytes if self.raw else 0)


async def read(
    connection: psycopg.AsyncConnection,
    frame: Frame,
    series: Sequence[Series],
    cuts: Micros,
    most_bytes: int,
    ranges: Sequence[Range] = (),
    known: Known | None = None,
) -> Tile:
    """The statistics of these series between the cuts, which are where buckets begin and end; `ranges`: only there.

    Raises:
        bulk_store.TooMuch: they need more than `most_bytes` of events or of stored statistics.
    """
    pending = NOTHING_COUNTED if known else await late_data(connection, frame, series, cuts)
    found = await gather(connection, frame, series, cuts, most_bytes, ranges, pending, known)
    return await made(Cells(series, cuts), frame.levels(), [found], pending)


async def late_data(
    connection: psycopg.AsyncConnection, frame: Frame, series: Sequence[Series], cuts: Micros
) -> Counted:
    """Readings of these series' devices that are in no stored statistic yet."""
    width = min((level.width for level in frame.levels()), default=60_000_000)
    return await store.dirty(connection, _devices(series), int(cuts[0]) // width * width, int(cuts[-1]))


async def gather(
    connection: psycopg.AsyncConnection,
    frame: Frame,
    series: Sequence[Series],
    cuts: Micros,
    most_bytes: int,
    ranges: Sequence[Range],
    pending: Counted,
    known: Known | None,
) -> Found:
    """The stored statistics of these series in these ranges, and raw events where there are none or late data waits.

    Raises:
        bulk_store.TooMuch: as above.
    """
    levels = frame.levels()
    plans, plan_of = _plans(cuts, ranges, levels, pending, Cells(series, cuts))
    parts = []
    for level in levels:
        pieces = [[(s.start, s.end) for s in one.stored if s.width == level.width] for one in plans]
        if wanted := _wanted(series, plan_of, pieces):
            parts.append(await store.stored(connection, level.width, wanted, most_bytes))
    raw, late = None, None
    if wanted := _wanted(series, plan_of, [list(one.raw) for one in plans]):
        metrics = sorted({metric for one in series for _, metric in one.members})
        layouts = known.layouts if known else await store.layouts(connection, _devices(series), metrics)
        raw = await store.readings(connection, wanted, layouts, most_bytes)
    in_time = known is not None and known.in_time
    closed = [closed_buckets(one.raw, levels[0]) for one in plans] if levels and not in_time else [[]]
    if wanted := _wanted(series, plan_of, closed):
        late = await store.late(connection, levels[0].width, wanted)
    return Found(parts, raw, late)


def closed_buckets(raw: Sequence[Range], finest: Level) -> list[Range]:
    """The stored buckets that raw ranges meet. Which of a cut bucket's readings were late is not known."""
    width, until = finest.width, finest.until
    return [(start // width * width, min(-(-end // width) * width, until)) for start, end in raw if start < until]


async def made(cells: Cells, levels: Sequence[Level], found: Sequence[Found], pending: Counted) -> Tile:
    """The tile of all that was found, and of late readings that wait."""
    late, dirty = np.zeros(cells.count, np.int64), np.zeros(cells.count, np.bool_)
    closed = pending.bucket < (levels[0].until if levels else -EVER)
    cell = cells.of(pending.device, pending.metric, pending.bucket)
    dirty[cell[cell >= 0]] = True
    np.add.at(late, cell[closed & (cell >= 0)], pending.readings[closed & (cell >= 0)])
    for counted in (one.late for one in found if one.late is not None):
        cell = cells.of(counted.device, counted.metric, counted.bucket)
        np.add.at(late, cell[cell >= 0], counted.readings[cell >= 0])
    partials, cell = await apart.compute(sum(one.size() for one in found), _merged, cells, found)
    return Tile(partials, cell, late, dirty)


def _devices(series: Sequence[Series]) -> list[int]:
    return sorted({device for one in series for device, _ in one.members})


def _plans(
    cuts: Micros, ranges: Sequence[Range], levels: Sequence[Level], pending: Counted, cells: Cells
) -> tuple[list[Plan], dict[int, int]]:
    """The plans, first the one of devices without anything dirty, and the numbers of the other devices'."""
    plans, plan_of = [plan(cuts, levels, NONE, ranges)], {}
    numbers: dict[bytes, int] = {}
    # What isn't stored yet is read raw anyway.
    ours = cells.of(pending.device, pending.metric, pending.bucket) >= 0
    ours &= pending.bucket < max((level.until for level in levels), default=0)
    for device in np.unique(pending.device[ours]).tolist():
        buckets = np.unique(pending.bucket[ours & (pending.device == device)])
        key = buckets.tobytes()
        if key not in numbers:
            numbers[key] = len(plans)
            plans.append(plan(cuts, levels, buckets, ranges))
        plan_of[device] = numbers[key]
    return plans, plan_of


def _wanted(series: Sequence[Series], plan_of: dict[int, int], ranges: Sequence[Sequence[Range]]) -> Wanted | None:
    """What to read when plan n asks for `ranges[n]`; None: nothing."""
    pairs = [pair for one in series for pair in one.members if ranges[plan_of.get(pair[0], 0)]]
    if not pairs:
        return None
    return Wanted(
        series_plan=[plan_of.get(device, 0) for device, _ in pairs],
        device=[device for device, _ in pairs],
        metric=[metric for _, metric in pairs],
        range_plan=[number for number, own in enumerate(ranges) for _ in own],
        ranges=[piece for own in ranges for piece in own],
    )


def _merged(cells: Cells, found: Sequence[Found]) -> tuple[Partials, Ints]:
    """One row a cell that has readings. Cells take the place of the keys: statistics of many devices become one."""
    keyed = []
    for part in (part for one in found for part in one.parts):
        cell = cells.of(part.device, part.metric, part.bucket.astype("datetime64[us]").view(np.int64))
        nothing = np.zeros(len(cell), np.int32)
        keyed.append(dataclasses.replace(part, device=nothing, metric=nothing, bucket=cell.view("datetime64[us]")))
    for device, metric, ts, value in (one.raw for one in found if one.raw is not None):
        cell = cells.of(device, metric, ts.astype("datetime64[us]").view(np.int64))
        ours = cell >= 0
        nothing = np.zeros(int(ours.sum()), np.int32)
        keyed.append(rollup(nothing, nothing, cell[ours].view("datetime64[us]"), value[ours]))
    merged = merge(keyed)
    return merged, merged.bucket.astype("datetime64[us]").view(np.int64)
