"""Which statistics across devices are to be made next: decisions on plain data. Times are epoch seconds."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

_MOST = 1_440
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

    @property
    def keys(self) -> set[tuple[int, int, int]]:
        """(width, metric, bucket) of each."""
        return {(self.width, metric, bucket) for metric in self.metrics for bucket in self.buckets}


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
    """How many rows or buckets of a level to make at a time, by how many points the ones before had."""

    points: int  # wanted at a time: numbers in the summaries that are read
    step: int = 1

    def after(self, step: int, points: int) -> "Stride":
        """What to go by after so many."""
        if step == 0:
            return self
        fitting = self.points * step // points if points else _MOST
        return Stride(self.points, max(1, min(fitting, step * _GROWTH, _MOST)))


def next_again(stale: Collection[tuple[int, int, int]], most: Mapping[int, int]) -> Again:
    """The newest of these (width, metric, bucket), with others of its level: `most` by width, or a few more.

    A piece is all pairs of its buckets and metrics; one that isn't stale is only made in vain.
    """
    _, width = max((bucket, width) for width, _, bucket in stale)
    metrics_of: dict[int, set[int]] = {}
    for of_width, metric, bucket in stale:
        if of_width == width:
            metrics_of.setdefault(bucket, set()).add(metric)
    buckets: list[int] = []
    metrics: set[int] = set()
    for bucket in sorted(metrics_of, reverse=True):
        wider = metrics | metrics_of[bucket]
        if buckets and len(wider) * (len(buckets) + 1) > most[width]:
            break
        buckets.append(bucket)
        metrics = wider
    return Again(width, tuple(buckets), tuple(sorted(metrics)[: most[width]]))
