"""Groups of rows that have (device, metric, bucket) in common."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from shared.statistics.ragged import Ints

T = TypeVar("T", bound=np.generic)
_ENDS = np.array([True])


@dataclass(frozen=True, slots=True)
class Groups:
    """`order` puts rows into groups, sorted by (device, metric, bucket); None: they are in order already.

    A group begins at `start` in that order and has `length` rows.
    """

    order: Ints | None
    start: Ints
    length: Ints

    def arrange(self, column: npt.NDArray[T]) -> npt.NDArray[T]:
        """The column in order."""
        return column if self.order is None else column[self.order]

    def first(self, column: npt.NDArray[T]) -> npt.NDArray[T]:
        """A value of each group, of a column that is the same within groups."""
        return column[self.start if self.order is None else self.order[self.start]]


def group(device: npt.NDArray[np.int32], metric: npt.NDArray[np.int32], bucket: npt.NDArray[np.datetime64]) -> Groups:
    """The groups of rows in any order. Which of a group's rows comes first is not defined."""
    if len(device) == 0:
        return Groups(None, np.empty(0, np.int64), np.empty(0, np.int64))
    key = _key([device.astype(np.int64), metric.astype(np.int64), bucket.astype("datetime64[us]").view(np.int64)])
    order = None if (key[1:] >= key[:-1]).all() else np.argsort(key)
    if order is not None:
        key = key[order]
    bounds = np.flatnonzero(np.concatenate([_ENDS, key[1:] != key[:-1], _ENDS]))
    return Groups(order, bounds[:-1], bounds[1:] - bounds[:-1])


def _key(columns: list[Ints]) -> Ints:
    """One integer for each row, in the order of the columns' tuples."""
    low = [int(column.min()) for column in columns]
    span = [int(column.max()) - least + 1 for column, least in zip(columns, low, strict=True)]
    if span[0] * span[1] * span[2] >= 2**63:
        columns = [np.unique(column, return_inverse=True)[1].astype(np.int64) for column in columns]
        low, span = [0, 0, 0], [int(column.max()) + 1 for column in columns]
    key = columns[0] - low[0]
    for column, least, width in zip(columns[1:], low[1:], span[1:], strict=True):
        key *= width
        key += column
        key -= least
    return key
