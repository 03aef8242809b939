"""Rows of statistics → blocks of binary COPY into `stats`."""

from collections.abc import Iterator

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
