"""What is to be computed next: decisions on plain data. Times are epoch seconds; a range ends before its end."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_HOUR_S = 3_600
_FIRST_DEVICES = 16
_GROWTH = 8


@dataclass(frozen=True, slots=True)
class Level:
    """A level of `width` seconds: buckets that end by `watermark` are closed, those that end by `until` stored.

    None: not yet at all.
    """

    width: int
    watermark: int | None
    until: int | None

    def floor(self, moment: int) -> int:
        """The start of the bucket that holds a moment."""
        return moment - moment % self.width


@dataclass(frozen=True, slots=True)
class Target:
    """Buckets of one level, from `start` to `end`."""

    width: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Window:
    """A range of events to read once, and the buckets to make of it."""

    start: int
    end: int
    targets: tuple[Target, ...]


def due(levels: Sequence[Level]) -> list[Level]:
    """Levels that have closed buckets which aren't stored."""
    return [lv for lv in levels if lv.watermark is not None and (lv.until is None or lv.until < lv.watermark)]


def resumed(level: Level, oldest: int | None) -> Level:
    """A level that is due with where it begins: never before the `oldest` event, which is None if there is none.

    What lies before is done: nothing is there.
    """
    watermark = level.watermark or 0
    nothing_before = watermark if oldest is None else min(level.floor(oldest), watermark)
    begin = nothing_before if level.until is None else max(level.until, nothing_before)
    return Level(level.width, level.watermark, begin)


def next_window(levels: Sequence[Level]) -> Window | None:
    """The first range that closed buckets lack, for all levels at once; None: all is stored.

    At most an hour, or one bucket of the longest level that is due, so that an hour that closes is read once for its
    last minute and itself.
    """
    waiting = [(level, level.watermark, level.until) for level in due(levels) if level.until is not None]
    open_ranges = [(level, start, end) for level, end, start in waiting if end is not None and start is not None]
    if not open_ranges:
        return None
    start = min(begin for _, begin, _ in open_ranges)
    step = max(_HOUR_S, *(level.width for level, _, _ in open_ranges))
    latest = min(start - start % step + step, max(end for _, _, end in open_ranges))
    targets = tuple(
        Target(level.width, begin, min(end, level.floor(latest)))
        for level, begin, end in open_ranges
        if min(end, level.floor(latest)) > begin
    )
    return Window(start, max(target.end for target in targets), targets) if targets else None


def unlogged(window: Window, levels: Sequence[Level]) -> Target | None:
    """The buckets of the finest level whose late entries are settled by storing the window; None: there are none.

    What was logged there before we read is in what we read, and no level has stored it without.
    """
    finest = min(level.width for level in levels)
    target = next((target for target in window.targets if target.width == finest), None)
    if target is None or any(level.until is not None and level.until > target.start for level in levels):
        return None
    return target


@dataclass(frozen=True, slots=True)
class Pace:
    """How many devices fit in a transaction, by how many readings a device had in a second before."""

    readings: int  # wanted at a time
    density: float | None = None  # readings per device and second
    devices: int = _FIRST_DEVICES // _GROWTH

    def step(self, seconds: int) -> int:
        """Devices to take next for a range of so many seconds: at most a few times more than before."""
        most = self.devices * _GROWTH
        if not self.density:
            return most
        return max(1, min(most, int(self.readings / (self.density * seconds))))

    def after(self, devices: int, seconds: int, readings: int) -> "Pace":
        """What to go by after a transaction."""
        return Pace(self.readings, readings / (max(1, devices) * seconds), max(1, devices))


@dataclass(frozen=True, slots=True)
class Dirty:
    """Entries of the dirty log: `bucket` in epoch seconds; `events` of this device and layout came late."""

    id: Ints
    bucket: Ints
    device: Ints
    layout: Ints
    events: Ints

    def take(self, rows: Ints | npt.NDArray[np.bool_]) -> "Dirty":
        """These entries."""
        return Dirty(self.id[rows], self.bucket[rows], self.device[rows], self.layout[rows], self.events[rows])

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True, slots=True)
class Repair:
    """A range whose events are read again, for the devices of its entries, to make stored buckets of `levels` anew."""

    start: int
    end: int
    levels: tuple[Level, ...]
    entries: Dirty

    def stored(self, level: Level, entries: Dirty) -> Dirty:
        """Entries whose bucket of this level is stored."""
        starts = entries.bucket - entries.bucket % level.width
        return entries.take(starts < (level.until or 0))


def repairs(levels: Sequence[Level], dirty: Dirty) -> list[Repair]:
    """Entries by the longest stored bucket that holds them, newest first; those that no level stored are left out."""
    stored = sorted((level for level in levels if level.until is not None), key=lambda level: level.width)
    longest = np.zeros(len(dirty), np.int64)
    for level in stored:
        longest[dirty.bucket - dirty.bucket % level.width < (level.until or 0)] = level.width
    found = []
    for width in np.unique(longest[longest > 0]).tolist():
        chosen = np.flatnonzero(longest == width)
        starts = dirty.bucket[chosen] - dirty.bucket[chosen] % width
        within = tuple(level for level in stored if level.width <= width)
        found += [
            Repair(start, start + width, within, dirty.take(chosen[starts == start]))
            for start in np.unique(starts).tolist()
        ]
    return sorted(found, key=lambda repair: -repair.end)
