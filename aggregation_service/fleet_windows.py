"""Which statistics across devices are to be made next: decisions on plain data. Times are epoch seconds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

_MOST_BUCKETS = 1_440
_GROWTH = 8


@dataclass(frozen=True, slots=True)
class FleetLevel:
    """A level of `width` seconds, stored until `stored`; its rows across devices are complete in [since, until).

    since None: all that lies before is done.
    """

    width: int
    since: int | None
    until: int
    stored: int


@dataclass(frozen=True, slots=True)
class Extension:
    """Buckets of [start, end) that join the complete ones, which then are [since, until)."""

    width: int
    start: int
    end: int
    since: int | None
    until: int

    def of(self, level: FleetLevel) -> FleetLevel:
        """The level when it is done."""
        return replace(level, since=self.since, until=self.until)


@dataclass(frozen=True, slots=True)
class Again:
    """Rows across devices that no longer are what they should be: these buckets of these metrics."""

    width: int
    buckets: tuple[int, ...]
    metrics: tuple[int, ...]


def begun(width: int, since: int | None, until: int | None, stored: int) -> FleetLevel:
    """A level as it is found; `until` None: nothing is made yet, and the newest bucket comes first."""
    if until is None:
        return FleetLevel(width, stored, stored, stored)
    until = min(until, stored)
    return FleetLevel(width, since if since is None else min(since, until), until, stored)


def forward(level: FleetLevel, most: int) -> Extension | None:
    """At most so many buckets that were stored since; None: there are none."""
    if level.until >= level.stored:
        return None
    end = min(level.stored, level.until + most * level.width)
    return Extension(level.width, level.until, end, level.since, end)


def backward(level: FleetLevel, most: int, partitions: Sequence[tuple[int, int]]) -> Extension:
    """At most so many buckets before `since`, newest first; `partitions`: the ranges of time that have stored rows.

    One without buckets says that nothing lies before.
    """
    since = level.until if level.since is None else level.since
    before = [(start, end) for start, end in partitions if start < since]
    if not before:
        return Extension(level.width, since, since, None, level.until)
    low, high = max(before)
    end = min(since, high)
    start = max(low, end - most * level.width)
    return Extension(level.width, start, end, start, level.until)


def unfinished(level: FleetLevel) -> bool:
    """Whether something stored is not among the complete buckets."""
    return level.since is not None or level.until < level.stored


def newest(levels: Iterable[FleetLevel]) -> FleetLevel | None:
    """The level whose history is to go on first; None: all of them are done."""
    behind = [level for level in levels if level.since is not None]
    return max(behind, key=lambda level: level.since or 0) if behind else None


@dataclass(frozen=True, slots=True)
class Stride:
    """How many buckets of a level to take at a time, by how many points the ones before had."""

    points: int  # wanted at a time: numbers in the summaries that are read
    per_bucket: float | None = None
    buckets: int = 1

    def after(self, buckets: int, points: int) -> "Stride":
        """What to go by after so many buckets."""
        if buckets == 0:
            return self
        per_bucket = points / buckets
        fitting = int(self.points / per_bucket) if per_bucket else _MOST_BUCKETS
        return Stride(self.points, per_bucket, max(1, min(fitting, buckets * _GROWTH, _MOST_BUCKETS)))

    def within(self, points: int) -> "Stride":
        """The same for fewer points at a time."""
        fitting = int(points / self.per_bucket) if self.per_bucket else 1
        return Stride(points, self.per_bucket, max(1, min(fitting, self.buckets)))


def again(stale: Sequence[tuple[int, int, int]], strides: dict[int, Stride]) -> list[Again]:
    """The pieces in which these (width, metric, bucket) are made again, newest first.

    A piece is some buckets of a level, or some metrics of one bucket where a bucket is large.
    """
    wanted: dict[tuple[int, int], set[int]] = {}
    for width, metric, bucket in stale:
        wanted.setdefault((bucket, width), set()).add(metric)
    by_width: dict[int, list[int]] = {}
    for bucket, width in sorted(wanted, reverse=True):
        by_width.setdefault(width, []).append(bucket)
    found: list[Again] = []
    for width, buckets in by_width.items():
        stride = strides[width]
        for first in range(0, len(buckets), stride.buckets):
            chosen = buckets[first : first + stride.buckets]
            metrics = sorted(set().union(*(wanted[bucket, width] for bucket in chosen)))
            room = stride.points / ((stride.per_bucket or 1.0) * len(chosen))
            step = max(1, int(min(1.0, room) * len(metrics)))
            found += [
                Again(width, tuple(chosen), tuple(metrics[at : at + step])) for at in range(0, len(metrics), step)
            ]
    return sorted(found, key=lambda piece: -piece.buckets[0])
