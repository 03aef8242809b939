"""Rows of statistics → blocks of binary COPY into `stats`, and back from rows of a query."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from shared import pgcopy
from shared.statistics import Partials, ragged

COLUMNS = "level, device, metric, bucket, count, sum, sum_error, min, max, m2, late, rank_error, summary"


def blocks(width: int, rows: Partials) -> Iterator[bytes]:
    """The rows of a level, those whose summaries are equally long in one block; without HEADER and TRAILER."""
    start = ragged.starts(rows.summary_length)
    for length, chosen in ragged.by_length(rows.summary_length):
        summary = ragged.matrix(rows.summary, start[chosen], length).astype("<f8", copy=False)
        yield pgcopy.encode(
            [
                np.full(len(chosen), width, np.int32),
                *(column[chosen] for column in (rows.device, rows.metric, rows.bucket, rows.count)),
                *(column[chosen] for column in (rows.sum, rows.sum_error, rows.min, rows.max, rows.m2)),
                rows.late[chosen],
                rows.rank_error[chosen],
                summary.view(np.uint8),
            ]
        )


def partials(rows: Sequence[tuple[Any, ...]]) -> Partials:
    """Statistics from rows without their level, the bucket in epoch seconds and the summary as bytes."""
    summaries = [np.frombuffer(row[-1], "<f8") for row in rows]
    columns = list(zip(*rows, strict=True)) if rows else [()] * 12
    numbers = dict(zip(("sum", "sum_error", "min", "max", "m2"), columns[4:9], strict=True))
    return Partials(
        device=np.array(columns[0], np.int32),
        metric=np.array(columns[1], np.int32),
        bucket=(np.array(columns[2], np.int64) * 1_000_000).view("datetime64[us]"),
        count=np.array(columns[3], np.int64),
        **{name: np.array(column, np.float64) for name, column in numbers.items()},
        late=np.array(columns[9], np.int64),
        rank_error=np.array(columns[10], np.float64),
        summary=np.concatenate(summaries) if summaries else np.empty(0),
        summary_length=np.array([len(summary) for summary in summaries], np.int64),
    )
