"""Statistics across devices: merged from the stored ones, and kept as they are."""

import dataclasses
import threading
import time
from collections.abc import Iterable

import numpy as np
import psycopg

from aggregation_service.fleet_store import FleetStore
from aggregation_service.fleet_windows import (
    Again,
    Extension,
    FleetLevel,
    Stride,
    backward,
    forward,
    newest,
    next_again,
    unfinished,
)
from aggregation_service.metrics import Metrics
from aggregation_service.store import Store
from shared.failpoints import Failpoints
from shared.statistics import Partials, merge

_EXTEND_S, _AGAIN_S = 2.0, 0.2
_POINTS = 2_000_000  # 16 MB
_AGAIN_POINTS = 500_000
_ENTRIES = 5_000


class Fleet:
    """Follows what is stored: first what is new, then what late data changed, then history backwards.

    Until a row is there, or while it is stale, questions are answered from the rows of the devices.
    """

    def __init__(self, store: Store, metrics: Metrics, failpoints: Failpoints) -> None:
        self._store = FleetStore(store)
        self._metrics = metrics
        self._failpoints = failpoints
        self._strides: dict[int, Stride] = {}
        self._strides_again: dict[int, Stride] = {}

    def run(self, stop: threading.Event, *, late: bool, history: bool) -> bool:
        """A while's work; `late`: late data waits, so what it changes is not made again yet; `history`: backwards too.

        True: buckets are left for the next run, which should follow at once.
        """
        until = time.monotonic() + _EXTEND_S
        levels = {level.width: level for level in self._store.levels()}
        try:
            for width in levels:
                while not self._over(until, stop) and (ahead := forward(levels[width], self._stride(width).step)):
                    levels[width] = self._extend(levels[width], ahead)
            self._again(stop, late=late)
            while history and not self._over(until, stop) and (level := newest(levels.values())):
                before = backward(level, self._stride(level.width).step, self._store.partitions(level.width))
                levels[level.width] = self._extend(level, before)
        except psycopg.errors.LockNotAvailable:
            return False  # somebody changes stored statistics: the next run goes on
        finally:
            for level in levels.values():
                self._metrics.fleet(level.width, level.until)
        return any(unfinished(level) for level in levels.values()) and not stop.is_set()

    def _extend(self, level: FleetLevel, extension: Extension) -> FleetLevel:
        """One more piece is complete, in one transaction."""
        with self._store.taking_turns():
            rows, points = across(self._store.shares_of(extension))
            self._failpoints.hit("aggregation.fleet.before_write")
            self._store.extend(extension, rows)
            self._failpoints.hit("aggregation.fleet.before_commit")
        buckets = (extension.end - extension.start) // level.width
        self._strides[level.width] = self._stride(level.width).after(buckets, points)
        return extension.of(level)

    def _again(self, stop: threading.Event, *, late: bool) -> None:
        """Some of what late data changed, the newest first; a row and its entries in one transaction."""
        until = time.monotonic() + _AGAIN_S
        stale = set(self._store.stale(_ENTRIES))
        self._metrics.fleet_stale.set(len(stale))
        while stale and not late:
            strides = {width: self._strides_again.get(width, Stride(_AGAIN_POINTS)) for width, _, _ in stale}
            piece = next_again(stale, {width: stride.step for width, stride in strides.items()})
            points = self._piece(piece)
            self._strides_again[piece.width] = strides[piece.width].after(len(piece.keys), points)
            stale -= piece.keys
            self._metrics.fleet_stale.set(len(stale))
            if self._over(until, stop):
                break

    def _piece(self, piece: Again) -> int:
        with self._store.taking_turns():
            rows, points = across(self._store.shares_again(piece))
            self._failpoints.hit("aggregation.fleet.before_write")
            self._store.replace(piece, rows)
            self._failpoints.hit("aggregation.fleet.before_commit")
        return points

    @staticmethod
    def _over(until: float, stop: threading.Event) -> bool:
        return time.monotonic() > until or stop.is_set()

    def _stride(self, width: int) -> Stride:
        return self._strides.get(width, Stride(_POINTS))


def across(chunks: Iterable[Partials]) -> tuple[Partials, int]:
    """(a row a metric and bucket, how many points were read), of rows by share that come chunk by chunk."""
    points, shares = 0, []
    for chunk in chunks:
        points += len(chunk.summary)
        shares.append(merge([chunk]))
    rows = merge(shares)
    return merge([dataclasses.replace(rows, device=np.zeros(len(rows), np.int32))]), points
