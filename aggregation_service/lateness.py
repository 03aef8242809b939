"""What late data makes necessary: decisions on plain data. Times are epoch seconds; a range ends before its end."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregation_service.windows import Level, Window

Ints = npt.NDArray[np.int64]
Span = tuple[int | None, int]  # start (None: no matter how old), end


@dataclass(frozen=True, slots=True)
class Waiting:
    """n buckets of the finest level, each with a device whose late data for it waits; newest first."""

    bucket: Ints
    device: Ints

    def __len__(self) -> int:
        return len(self.bucket)


@dataclass(frozen=True, slots=True)
class Dirty:
    """Entries of the dirty log: `events` of this device and layout came late for a bucket of the finest level."""

    bucket: Ints
    device: Ints
    layout: Ints
    events: Ints

    def before(self, level: Level) -> "Dirty":
        """Those whose bucket of this level is stored."""
        rows = self.bucket - self.bucket % level.width < (level.until or 0)
        return Dirty(self.bucket[rows], self.device[rows], self.layout[rows], self.events[rows])

    def __len__(self) -> int:
        return len(self.bucket)


@dataclass(frozen=True, slots=True)
class Repair:
    """A range whose events are read again, for these devices, to make stored buckets of `levels` anew."""

    start: int
    end: int
    levels: tuple[Level, ...]
    devices: Ints


def spans(levels: Sequence[Level], under_way: Sequence[Window]) -> list[Span]:
    """Where late data can be worked in now, newest first: below what is stored, outside of windows that are under way.

    A slice of such a window may have read its devices before the late data came: it waits until the window is stored.
    """
    end = max((level.until for level in levels if level.until is not None), default=None)
    found: list[Span] = []
    for window in sorted(under_way, key=lambda window: -window.end):
        if end is not None and window.end < end:
            found.append((window.end, end))
        end = window.start if end is None else min(end, window.start)
    return found if end is None else [*found, (None, end)]


def repairs(levels: Sequence[Level], waiting: Waiting, under_way: Sequence[Window]) -> list[Repair]:
    """Ranges that are the longest stored bucket around late data, newest first; none that a window under way meets."""
    stored = sorted((level for level in levels if level.until is not None), key=lambda level: level.width)
    longest = np.zeros(len(waiting), np.int64)
    for level in stored:
        longest[waiting.bucket - waiting.bucket % level.width < (level.until or 0)] = level.width
    found = []
    for width in np.unique(longest[longest > 0]).tolist():
        chosen = np.flatnonzero(longest == width)
        starts = waiting.bucket[chosen] - waiting.bucket[chosen] % width
        within = tuple(level for level in stored if level.width <= width)
        order = np.argsort(starts, kind="stable")
        first = np.flatnonzero(np.diff(starts[order], prepend=-1))
        devices = np.split(waiting.device[chosen[order]], first[1:])
        found += [
            Repair(start, start + width, within, np.unique(those))
            for start, those in zip(starts[order][first].tolist(), devices, strict=True)
            if not any(window.start < start + width and start < window.end for window in under_way)
        ]
    return sorted(found, key=lambda repair: -repair.end)
