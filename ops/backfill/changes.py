"""Which of the rows that were made again differ from those that are stored. Pure."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.statistics import Partials, ragged
from shared.statistics.keys import group

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Waiting = set[tuple[int, int]]  # device, bucket of the finest level in epoch seconds

_NUMBERS = ("count", "sum", "sum_error", "min", "max", "deviation", "rank_error", "summary_length")


@dataclass(frozen=True, slots=True)
class Counts:
    """Readings that were read, and rows: `compared` with stored ones, of these the ones `changed`.

    `waiting`: left to the aggregator, as late events wait there; `kept`: their raw events are gone.
    """

    readings: int = 0
    compared: int = 0
    changed: int = 0
    waiting: int = 0
    kept: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.readings + other.readings,
            self.compared + other.compared,
            self.changed + other.changed,
            self.waiting + other.waiting,
            self.kept + other.kept,
        )


def changes(fresh: Partials, stored: Partials, width_s: int, waiting: Waiting) -> tuple[Partials, Partials, Counts]:
    """(rows that were made again, those of them that differ, how many of each) of a level.

    Rows with late events outstanding are in neither: the aggregator makes them again itself.
    """
    late = _late(fresh, width_s, waiting)
    settled = fresh.take(~late)
    same, unmatched = _same(settled, stored)
    changed = settled.take(~same)
    gone = int((unmatched & ~_late(stored, width_s, waiting)).sum())
    return settled, changed, Counts(0, len(settled), len(changed), int(late.sum()), gone)


def _late(rows: Partials, width_s: int, waiting: Waiting) -> Flags:
    """Which rows' buckets hold late events that wait (n)."""
    within = {(device, moment - moment % width_s) for device, moment in waiting}
    if not within:
        return np.zeros(len(rows), np.bool_)
    seconds = rows.bucket.astype("datetime64[s]").astype(np.int64)
    keys = zip(rows.device.tolist(), seconds.tolist(), strict=True)
    return np.fromiter((key in within for key in keys), np.bool_, len(rows))


def _same(fresh: Partials, stored: Partials) -> tuple[Flags, Flags]:
    """Which fresh rows are stored as they are, but for `late`; which stored rows have no fresh one."""
    number = _numbered(fresh, stored)
    of_fresh, of_stored = number[: len(fresh)], number[len(fresh) :]
    at = np.full(int(number.max(initial=-1)) + 1, -1, np.int64)
    at[of_stored] = np.arange(len(stored))
    partner = at[of_fresh]
    same = partner >= 0
    known = np.flatnonzero(same)
    old, new = stored.take(partner[known]), fresh.take(known)
    equal = np.ones(len(known), np.bool_)
    for name in _NUMBERS:
        equal &= _bits(getattr(old, name)) == _bits(getattr(new, name))
    equal[equal] = _same_summaries(old.take(equal), new.take(equal))
    same[known] = equal
    return same, ~np.isin(of_stored, of_fresh)


def _numbered(fresh: Partials, stored: Partials) -> Ints:
    """A number for each fresh, then each stored row: the same for the same key."""
    keys = [
        np.concatenate([getattr(rows, name) for rows in (fresh, stored)]) for name in ("device", "metric", "bucket")
    ]
    groups = group(*keys)
    number = np.empty(len(fresh) + len(stored), np.int64)
    number[slice(None) if groups.order is None else groups.order] = np.repeat(
        np.arange(len(groups.start)), groups.length
    )
    return number


def _same_summaries(old: Partials, new: Partials) -> Flags:
    """Which rows have the same summary; the two are equally long."""
    if len(old) == 0:
        return np.empty(0, np.bool_)
    differs = _bits(old.summary) != _bits(new.summary)
    return ~np.logical_or.reduceat(differs, ragged.starts(old.summary_length))


def _bits(column: npt.NDArray[np.generic]) -> Ints:
    return np.ascontiguousarray(column).view(np.int64)
