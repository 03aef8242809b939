"""Mergeable statistics as columns, and what they say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from shared.statistics import percentiles, ragged, summary
from shared.statistics.ragged import Floats, Ints


@dataclass(frozen=True, slots=True)
class Partials:
    """n rows, sorted by (device, metric, bucket); a row's readings are `count` ≥ 1.

    sum + sum_error is the sum (±inf and the mean where a double can't hold it), deviation √(Σ(x − mean)² / count), late
    the readings that came after the bucket was first stored, rank_error the most that a percentile of this row can be
    off (0: exact).
    """

    device: npt.NDArray[np.int32]
    metric: npt.NDArray[np.int32]
    bucket: npt.NDArray[np.datetime64]  # [us], the bucket's start
    count: Ints
    sum: Floats
    sum_error: Floats
    min: Floats
    max: Floats
    deviation: Floats
    late: Ints
    rank_error: Floats
    summary: Floats  # row after row
    summary_length: Ints

    def __len__(self) -> int:
        return len(self.count)

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Partials":
        """These rows, by number or by mask."""
        lengths = self.summary_length[rows]
        values = self.summary[ragged.positions(ragged.starts(self.summary_length)[rows], lengths)]
        columns = {name: getattr(self, name)[rows] for name in ROW_COLUMNS}
        return Partials(**columns, summary=values, summary_length=lengths)

    def with_late(self, late: Ints) -> "Partials":
        """The same with other counts of late readings (n)."""
        return replace(self, late=late)


ROW_COLUMNS = (
    "device", "metric", "bucket", "count", "sum", "sum_error", "min", "max", "deviation", "late", "rank_error"
)  # fmt: skip


def concatenate(parts: Sequence[Partials]) -> Partials:
    """All rows, one part after the other (so unsorted until they are merged); at least one part."""
    return Partials(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in (*ROW_COLUMNS, "summary", "summary_length")
        )
    )


def empty() -> Partials:
    """No rows."""
    floats, ints = np.empty(0), np.empty(0, np.int64)
    ids = np.empty(0, np.int32)
    return Partials(
        ids,
        ids,
        np.empty(0, "datetime64[us]"),
        ints,
        floats,
        floats,
        floats,
        floats,
        floats,
        ints,
        floats,
        floats,
        ints,
    )


def sums(partials: Partials) -> Floats:
    """Σx (n); NaN where a double can't hold it."""
    return np.where(np.isfinite(partials.sum), partials.sum, np.nan)


def means(partials: Partials) -> Floats:
    """The average (n), finite even where the sum isn't, between min and max."""
    finite = np.isfinite(partials.sum)
    average = np.where(finite, partials.sum, 0.0) / partials.count
    return np.clip(np.where(finite, average, partials.sum_error), partials.min, partials.max)


def stddevs(partials: Partials) -> Floats:
    """The sample standard deviation (n); NaN below two readings and where a double can't hold it."""
    with np.errstate(over="ignore"):
        sample = partials.deviation * np.sqrt(partials.count / np.maximum(partials.count - 1, 1))
    return np.where((partials.count > 1) & np.isfinite(sample), sample, np.nan)


def quantiles(partials: Partials, fractions: Floats) -> tuple[Floats, Floats]:
    """percentile_cont (n, f) at `fractions` (f) of 0…1, and how far in rank, of 0…1, each can be off; 0: exact."""
    lengths, values = partials.summary_length, partials.summary
    starts, whole = ragged.starts(lengths), summary.whole(lengths, partials.count)
    if whole.all():
        return percentiles.of_values(values, starts, lengths, fractions), np.zeros((len(lengths), len(fractions)))
    points_off = summary.points_off(partials.count, partials.rank_error)
    if not whole.any():
        return percentiles.of_points(values, starts, partials.count, points_off, fractions)
    answers, errors = np.zeros((2, len(lengths), len(fractions)))
    answers[whole] = percentiles.of_values(values, starts[whole], lengths[whole], fractions)
    some = ~whole
    answers[some], errors[some] = percentiles.of_points(
        values, starts[some], partials.count[some], points_off[some], fractions
    )
    return answers, errors
