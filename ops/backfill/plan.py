"""What a backfill makes again, and in which order. Pure; times are epoch seconds, a range ends before its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aggregation_service.windows import Level, Target
from ops.backfill.changes import Counts
from shared.errors import PlumblineError
from shared.statistics.buckets import bucket_name

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Position:
    """All before this day, and of it the devices below this id, is done."""

    day: int
    device: int = 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole UTC days: one that has events, or days that follow each other and have none any more."""

    start: int
    end: int
    events: bool


@dataclass(frozen=True, slots=True)
class Range:
    """Whole buckets of these levels that meet [start, end)."""

    start: int
    end: int
    widths: tuple[int, ...]

    def targets(self, stretch: Stretch, levels: Sequence[Level]) -> list[Target]:
        """The stored buckets of a stretch, short to long; none of a level that isn't stored so far."""
        found = []
        for level in levels:
            if level.width not in self.widths or level.until is None:
                continue
            first = max(stretch.start, self.start - self.start % level.width)
            last = min(stretch.end, self.end + -self.end % level.width, level.until)
            if first < last:
                found.append(Target(level.width, first, last))
        return found

    def whole(self) -> tuple[int, int]:
        """From the first bucket's start to the last one's end."""
        longest = max(self.widths)
        return self.start - self.start % longest, self.end + -self.end % longest

    def stretches(self, days: Mapping[int, bool], position: Position) -> list[Stretch]:
        """What is left of some days, which have events or have none, in order: days without are taken together."""
        first, last = self.whole()
        found: list[Stretch] = []
        for day, events in sorted(days.items()):
            if day >= last or day + DAY_S <= first or day < position.day:
                continue
            before = found[-1] if found else None
            if before and not events and not before.events and before.end == day:
                found[-1] = Stretch(before.start, day + DAY_S, events=False)
            else:
                found.append(Stretch(day, day + DAY_S, events))
        return found


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: the range, and how it was typed, which names it; `devices` (ids) None: all.

    `fleet`: rows across devices are made again, whether a device's row differs or not.
    """

    asked_from: str
    asked_to: str
    range: Range
    devices: list[int] | None
    fleet: bool

    def parameters(self) -> dict[str, object]:
        """For SQL; a new one begins with the `first` day."""
        span = self.range
        first = span.whole()[0] // DAY_S * DAY_S
        times = {"start": span.start, "end": span.end, "first": first, "levels": list(span.widths)}
        typed = {"asked_from": self.asked_from, "asked_to": self.asked_to}
        return {**times, **typed, "devices": self.devices, "fleet": self.fleet}


@dataclass(frozen=True, slots=True)
class Job:
    """A backfill under way; see Request."""

    id: int
    range: Range
    devices: list[int] | None
    fleet: bool
    position: Position
    started_at: datetime


def stored_levels(levels: Sequence[Level], only: int | None) -> tuple[int, ...]:
    """The widths of the levels that are stored, or of the one that is asked for.

    Raises:
        PlumblineError: that isn't stored, or none is.
    """
    stored = [level.width for level in levels if level.until is not None]
    if not stored:
        raise PlumblineError("nothing is stored yet → start the aggregation service: it stores all history by itself")
    if only is not None and only not in stored:
        names = ", ".join(map(bucket_name, stored))
        raise PlumblineError(
            f"the level {bucket_name(only)} isn't stored → choose from {names}, or add it to AGGREGATION_LEVELS"
        )
    return tuple(stored) if only is None else (only,)


def following(devices: int, counts: Counts, chunk: int) -> int:
    """How many devices to take next, after so many: about `chunk` readings; a row weighs as much as ten."""
    weight = counts.readings + 10 * (counts.compared + counts.waiting + counts.kept)
    return max(1, min(8 * devices, chunk * devices // max(1, weight)))
