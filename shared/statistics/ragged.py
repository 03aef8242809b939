"""Rows of different lengths in one flat array, worked on in matrices of rows that are equally long.

n readings have at most √(2n) different lengths, so a loop over lengths is short however many rows there are.
"""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
T = TypeVar("T", bound=np.generic)


def starts(lengths: Ints) -> Ints:
    """Where each row begins."""
    return np.cumsum(lengths) - lengths


def by_length(lengths: Ints) -> Iterator[tuple[int, Ints]]:
    """(length, the numbers of the rows that have it), shortest first."""
    if len(lengths) == 0:
        return
    if (lengths == lengths[0]).all():
        yield int(lengths[0]), np.arange(len(lengths))
        return
    order = np.argsort(lengths, kind="stable")
    in_order = lengths[order]
    cuts = (np.flatnonzero(in_order[1:] != in_order[:-1]) + 1).tolist()
    for first, last in zip([0, *cuts], [*cuts, len(order)], strict=True):
        yield int(in_order[first]), order[first:last]


def matrix(values: npt.NDArray[T], start: Ints, length: int) -> npt.NDArray[T]:
    """The rows that begin at `start` and are `length` long: a new array (rows, length)."""
    if _adjacent(start, length):
        return values[start[0] : start[0] + len(start) * length].reshape(len(start), length).copy()
    rows: npt.NDArray[T] = values[start[:, None] + np.arange(length)]
    return rows


def put(values: npt.NDArray[T], start: Ints, rows: npt.NDArray[T]) -> None:
    """Writes `rows` (n, length) to where they begin in `values`."""
    length = rows.shape[1]
    if _adjacent(start, length):
        values[start[0] : start[0] + rows.size] = rows.ravel()
    else:
        values[start[:, None] + np.arange(length)] = rows


def _adjacent(start: Ints, length: int) -> bool:
    return bool((start[1:] - start[:-1] == length).all())


def positions(start: Ints, lengths: Ints) -> Ints:
    """The flat positions of these rows' elements, row after row."""
    return np.repeat(start - starts(lengths), lengths) + np.arange(int(lengths.sum()))
