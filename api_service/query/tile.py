"""Statistics of some series in some buckets that follow each other: read where the plans say, merged once."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import psycopg

from api_service.query import apart
from api_service.query import statistics_store as store
from api_service.query.plan import Level, Micros, Plan, Range, plan
from api_service.query.statistics_store import Counted, Frame, Wanted
from shared.statistics import Partials, merge, rollup
from shared.statistics.readings import Readings

Ints = npt.NDArray[np.int64]


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
        at = np.minimum(np.searchsorted(self._keys, key), len(self._keys) - 1)
        buckets = len(self._cuts) - 1
        bucket = np.clip(np.searchsorted(self._cuts, time, "right") - 1, 0, buckets - 1)
        return np.where(self._keys[at] == key, self._owner[at] * buckets + bucket, -1)


@dataclass(frozen=True, slots=True)
class Known:
    """What the caller has seen in this snapshot: nothing late waits for the devices, and these are their layouts."""

    layouts: Mapping[int, npt.NDArray[np.int32]]


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
        statistics_store.TooMuch: they need more than `most_bytes` of events or of stored statistics.
    """
    levels, cells = frame.levels(), Cells(series, cuts)
    width = levels[0].width if levels else 60_000_000
    devices = sorted({device for one in series for device, _ in one.members})
    if known is None:
        pending = await store.dirty(connection, devices, int(cuts[0]) // width * width, int(cuts[-1]))
    else:
        pending = store.NOTHING_COUNTED
    pending_cell = cells.of(pending.device, pending.metric, pending.bucket)
    plans, plan_of = _plans(cuts, ranges, levels, pending, pending_cell)

    parts = []
    for level in levels:
        pieces = [[(s.start, s.end) for s in one.stored if s.width == level.width] for one in plans]
        if wanted := _wanted(series, plan_of, pieces):
            parts.append(await store.stored(connection, level.width, wanted, most_bytes))
    raw = None
    if wanted := _wanted(series, plan_of, [list(one.raw) for one in plans]):
        metrics = sorted({metric for one in series for _, metric in one.members})
        layouts = known.layouts if known else await store.layouts(connection, devices, metrics)
        raw = await store.readings(connection, wanted, layouts, most_bytes)
    late = np.zeros(cells.count, np.int64)
    for counted in await _late(connection, series, plans, plan_of, levels, pending):
        cell = cells.of(counted.device, counted.metric, counted.bucket)
        np.add.at(late, cell[cell >= 0], counted.readings[cell >= 0])
    dirty = np.zeros(cells.count, np.bool_)
    dirty[pending_cell[pending_cell >= 0]] = True
    size = sum(part.summary.nbytes for part in parts) + (raw[3].nbytes if raw else 0)
    partials, cell = await apart.compute(size, _merged, cells, parts, raw)
    return Tile(partials, cell, late, dirty)


def _plans(
    cuts: Micros, ranges: Sequence[Range], levels: Sequence[Level], pending: Counted, pending_cell: Ints
) -> tuple[list[Plan], dict[int, int]]:
    """The plans, first the one of devices without anything dirty, and the numbers of the other devices'."""
    plans, plan_of = [plan(cuts, levels, np.empty(0, np.int64), ranges)], {}
    numbers: dict[bytes, int] = {}
    # What isn't stored yet is read raw anyway.
    ours = (pending_cell >= 0) & (pending.bucket < max((level.until for level in levels), default=0))
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


async def _late(
    connection: psycopg.AsyncConnection,
    series: Sequence[Series],
    plans: Sequence[Plan],
    plan_of: dict[int, int],
    levels: Sequence[Level],
    pending: Counted,
) -> list[Counted]:
    """Late readings that no stored statistic which we read has counted: of buckets that we read raw."""
    if not levels:
        return []
    width, until = levels[0].width, levels[0].until

    def whole(start: int, end: int) -> Range:
        """Which of a cut bucket's readings were late is not known."""
        return start // width * width, min(-(-end // width) * width, until)

    buckets = [[whole(start, end) for start, end in one.raw if start < until] for one in plans]
    closed = pending.bucket < until
    counted = [Counted(*(getattr(pending, name)[closed] for name in ("device", "metric", "bucket", "readings")))]
    if wanted := _wanted(series, plan_of, buckets):
        counted.append(await store.late(connection, width, wanted))
    return counted


def _merged(cells: Cells, parts: Sequence[Partials], raw: Readings | None) -> tuple[Partials, Ints]:
    """One row a cell that has readings. Cells take the place of the keys: statistics of many devices become one."""
    keyed = []
    for part in parts:
        cell = cells.of(part.device, part.metric, part.bucket.astype("datetime64[us]").view(np.int64))
        nothing = np.zeros(len(cell), np.int32)
        keyed.append(dataclasses.replace(part, device=nothing, metric=nothing, bucket=cell.view("datetime64[us]")))
    if raw is not None:
        device, metric, ts, value = raw
        cell = cells.of(device, metric, ts.astype("datetime64[us]").view(np.int64))
        ours = cell >= 0
        nothing = np.zeros(int(ours.sum()), np.int32)
        keyed.append(rollup(nothing, nothing, cell[ours].view("datetime64[us]"), value[ours]))
    merged = merge(keyed)
    return merged, merged.bucket.astype("datetime64[us]").view(np.int64)
