"""What is to be computed next: decisions on plain data. Times are epoch seconds; a range ends before its end."""

from collections.abc import Sequence
from dataclasses import dataclass

_HOUR_S = 3_600


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
    """A range of events to read once, and the buckets to make of it; the finest level comes first."""

    start: int
    end: int
    targets: tuple[Target, ...]

    @property
    def finest(self) -> int:
        """The width of its shortest buckets."""
        return self.targets[0].width

    @property
    def longest(self) -> int:
        """The width of its longest buckets."""
        return self.targets[-1].width

    def of(self, width: int) -> Target | None:
        """Its buckets of this width, if it has some."""
        return next((target for target in self.targets if target.width == width), None)


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
    """The range that closed buckets lack next; None: all is stored.

    What is least behind comes first: a minute that closed doesn't wait for the day that closed with it. Levels that
    are behind by more than each other's buckets share a window, so that history is read once for all of them: an hour,
    or a bucket of the longest.
    """
    waiting = sorted(due(levels), key=_behind)
    if not waiting:
        return None
    together = [level for level in waiting if _share(waiting[0], level)]
    ranges = [(level, level.until or 0, level.watermark or 0) for level in together]
    start = min(begin for _, begin, _ in ranges)
    step = _step(max(level.width for level in together))
    latest = min(start - start % step + step, max(end for _, _, end in ranges))
    targets = tuple(
        Target(level.width, begin, min(end, level.floor(latest)))
        for level, begin, end in sorted(ranges, key=lambda each: each[0].width)
        if min(end, level.floor(latest)) > begin
    )
    return Window(start, max(target.end for target in targets), targets)


def _behind(level: Level) -> int:
    return (level.watermark or 0) - (level.until or 0)


def _share(first: Level, other: Level) -> bool:
    """Whether the level that is least behind may wait for the other's bucket, and both begin in one window."""
    if other is first:
        return True
    near = abs((first.until or 0) - (other.until or 0)) < _step(max(first.width, other.width))
    return near and _behind(first) >= other.width


def _step(width: int) -> int:
    """The length of a window whose longest buckets are of this width."""
    return -(-_HOUR_S // width) * width


def unlogged(window: Window, levels: Sequence[Level], under_way: Sequence[Window] = ()) -> Target | None:
    """The buckets of the finest level whose late entries are settled by storing the window; None: there are none.

    What was logged there before we read is in what we read, and no level has stored it without, nor does a longer
    window that is under way.
    """
    finest = min(level.width for level in levels)
    target = window.of(finest)
    if target is None or any(level.until is not None and level.until > target.start for level in levels):
        return None
    if any(longer.start < target.end and target.start < longer.end for longer in under_way):
        return None
    return target
