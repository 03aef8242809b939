"""A page of /stats: series after series, as many as a page may hold and cost."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import psycopg

from api_service.problems import FieldError, invalid
from api_service.query import rows, tile
from api_service.query import statistics_store as store
from api_service.query.bulk_store import TooMuch
from api_service.query.fleet import Fleet
from api_service.query.plan import Micros, plan
from api_service.query.question import Question, Span
from api_service.query.rows import Row
from api_service.query.statistics_store import Frame
from api_service.query.tile import Series, Tile
from api_service.settings import ApiSettings

_TOO_MUCH = "the answer needs more data than one request may read: take fewer devices or metrics, or less time"
_DEVICES_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Position:
    """A row: its series, and its bucket's start."""

    device_id: str
    metric: str
    start: int


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order; `last`: where the next page goes on, None: there is none."""

    rows: list[Row]
    last: Position | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What stays the same while a page is made."""

    connection: psycopg.AsyncConnection
    frame: Frame
    question: Question
    span: Span
    allowed: Sequence[str] | None
    settings: ApiSettings
    fleet: Fleet | None = None  # where the question is about all devices together

    def cuts(self, low: int, high: int) -> Micros:
        """Where the buckets low…high − 1 begin and end inside the range."""
        return np.clip(self.span.edges[low : high + 1], self.span.start, self.span.end)

    def cost(self, series: Sequence[Series], low: int, high: int) -> int:
        """The most stored statistics that these series have in the buckets low…high − 1."""
        if self.fleet is not None:
            return self.fleet.cost(series, self.cuts(low, high))
        members = [pair for one in series for pair in one.members]
        devices = len({device for device, _ in members})
        clean = plan(self.cuts(low, high), self.frame.levels(), np.empty(0, np.int64))
        return clean.cells(len(members), devices)

    async def tile(self, series: Sequence[Series], low: int, high: int) -> Tile:
        """Their statistics."""
        cuts, most = self.cuts(low, high), self.settings.stats_max_raw_bytes
        if self.fleet is not None:
            return await self.fleet.read(series, cuts, most)
        return await tile.read(self.connection, self.frame, series, cuts, most)


async def read(asked: Asked, after: Position | None) -> Page:
    """The rows that follow `after`, or the first ones.

    Walks tile by tile: some whole series, or some buckets of one. It ends with one row more than a page holds, which
    tells that there is a next one; or when the page has cost enough; or after the last series.

    Raises:
        Problem: 422, a single row would cost more than a page may.
    """
    made: list[Row] = []
    limit, buckets = asked.question.limit, asked.span.buckets
    if buckets == 0:
        return Page([], None)
    if asked.question.fleet and not asked.question.device_ids and (asked.allowed is None or "*" in asked.allowed):
        span, names = asked.span, asked.question.metrics
        asked = replace(asked, fleet=await Fleet.load(asked.connection, asked.frame, names, span.start, span.end))
    spent, reach = 0, limit + 1  # reach: cells of the next tile, more each time as most may turn out empty
    last = after
    async for batch in _series(asked, after):
        todo = list(batch)
        low = 0
        while todo:
            if after is not None and _place(todo[0]) == (after.device_id, after.metric):
                low = int(np.searchsorted(asked.span.edges[:-1], after.start, "right"))
                after = None
            if low >= buckets:
                todo, low = todo[1:], 0
                continue
            if len(made) > limit or spent > asked.settings.stats_max_cells:
                return Page(made[:limit], _position(made[limit - 1]) if len(made) > limit else last)
            taken, high = _extent(asked, todo, low, reach)
            cost, more = await _tile(asked, todo[:taken], low, high)
            made += more
            spent, reach = spent + cost, reach * 2
            last = Position(*_place(todo[taken - 1]), int(asked.span.edges[high - 1]))
            todo, low = (todo, high) if high < buckets else (todo[taken:], 0)
    return Page(made[:limit], _position(made[limit - 1]) if len(made) > limit else None)


def _place(series: Series) -> tuple[str, str]:
    return series.device_id or "", series.metric


def _position(row: Row) -> Position:
    return Position(row.device_id or "", row.metric, row.start)


def _extent(asked: Asked, todo: Sequence[Series], low: int, reach: int) -> tuple[int, int]:
    """How many series, and up to which bucket: about `reach` cells, within the budget; at least one cell."""
    buckets, budget = asked.span.buckets, asked.settings.stats_max_cells
    wanted = max(1, min(len(todo), reach // buckets)) if low == 0 else 1
    while wanted > 1 and asked.cost(todo[:wanted], low, buckets) > budget:
        wanted //= 2
    if wanted > 1:
        return wanted, buckets
    share = (buckets - low) * budget // max(1, asked.cost(todo[:1], low, buckets))
    return 1, min(buckets, low + max(1, min(reach, share)))


async def _tile(asked: Asked, series: Sequence[Series], low: int, high: int) -> tuple[int, list[Row]]:
    """The rows of these series in these buckets, and what they cost."""
    cost = asked.cost(series, low, high)
    if cost > asked.settings.stats_max_cells and high - low == 1:
        raise invalid(FieldError("query", _TOO_MUCH))
    try:
        read = await asked.tile(series, low, high)
    except (TooMuch, psycopg.errors.ProgramLimitExceeded):
        raise invalid(FieldError("query", _TOO_MUCH)) from None
    edges = asked.span.edges[low : high + 1]
    return cost, rows.make(read, series, edges, asked.question, asked.frame.closed_until())


async def _series(asked: Asked, after: Position | None) -> AsyncIterator[list[Series]]:
    """All series in the order of the answer, from the one of `after` on, some at a time."""
    if asked.fleet is not None:
        yield [one for one in asked.fleet.series if after is None or one.metric >= after.metric]
        return
    question, first = asked.question, after.device_id if after and not asked.question.fleet else None
    across: dict[str, list[tuple[int, int]]] = {}
    while True:
        found = await store.devices(
            asked.connection, asked.allowed, question.device_ids, question.metrics, first, _DEVICES_AT_ONCE
        )
        batch = []
        for device in found:
            for metric_id, metric in zip(device.metric_ids, device.metrics, strict=True):
                across.setdefault(metric, []).append((device.id, metric_id))
                batch.append(Series(device.device_id, metric, ((device.id, metric_id),)))
        if not question.fleet:
            yield [one for one in batch if after is None or _place(one) >= (after.device_id, after.metric)]
        if len(found) < _DEVICES_AT_ONCE:
            break
        first = found[-1].device_id + "\x01"  # the next id: none has a control character
    if question.fleet:
        names = sorted(name for name in across if after is None or name >= after.metric)
        yield [Series(None, name, tuple(across[name])) for name in names]
