"""Some questions, answered from one snapshot: rows that are remembered, and all others read together."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import psycopg

from api_service.auth.claims import Principal
from api_service.problems import Problem, not_found
from api_service.query import answer, rendering, rows, tile, times
from api_service.query import question as questions
from api_service.query import statistics_store as store
from api_service.query.answer import Answer
from api_service.query.memory import Memory, Shape, Shelf
from api_service.query.metrics import QueryMetrics
from api_service.query.page import Asked
from api_service.query.plan import EVER, Micros, Range
from api_service.query.question import Question, Span
from api_service.query.statistics_store import Frame, Named
from api_service.query.tile import Series
from api_service.query.times import SECOND
from api_service.settings import ApiSettings
from shared.statistics.buckets import Bucket

_MOST_COST = 20_000  # stored statistics of one question


@dataclass(frozen=True, slots=True)
class Ticket:
    """A question that waits for its answer."""

    question: Question
    who: Principal
    media_type: str
    answer: asyncio.Future[Answer | None]

    def tell(self, found: Answer | Exception | None) -> None:
        """The answer, or what prevents it; nobody may wait for it any more."""
        if self.answer.done():
            return
        if isinstance(found, Exception):
            self.answer.set_exception(found)
        else:
            self.answer.set_result(found)


@dataclass(frozen=True, slots=True)
class Line:
    """A series of a question: its rows by their bucket's number, empty where there is none.

    `shelf`: where the rows of the buckets `kept` are or may be put.
    """

    series: Series
    shelf: Shelf
    kept: frozenset[int]
    rows: dict[int, bytes]


@dataclass(slots=True)
class Work:
    """A question on its way to an answer."""

    ticket: Ticket
    span: Span
    lines: list[Line]
    final: bool = True

    def lacks(self) -> npt.NDArray[np.bool_]:
        """Which buckets some line has no row of."""
        found = np.zeros(self.span.buckets, np.bool_)
        for line in self.lines:
            if len(line.rows) < len(found):
                found |= [number not in line.rows for number in range(len(found))]
        return found


@dataclass(slots=True)
class Need:
    """What some questions lack alike: these buckets of these lines."""

    asked: Asked
    media_type: str
    buckets: npt.NDArray[np.bool_]
    lines: list[tuple[Work, Line]] = field(default_factory=list)

    def ranges(self, cuts: Micros) -> list[Range]:
        """The buckets as ranges of time."""
        edges = np.flatnonzero(np.diff(self.buckets, prepend=False, append=False))
        return [(int(cuts[low]), int(cuts[high])) for low, high in edges.reshape(-1, 2).tolist()]


class Batch:
    """One snapshot's questions."""

    def __init__(
        self,
        connection: psycopg.AsyncConnection,
        frame: Frame,
        memory: Memory,
        settings: ApiSettings,
        metrics: QueryMetrics,
    ) -> None:
        self._connection, self._frame, self._memory, self._settings = connection, frame, memory, settings
        self._metrics = metrics
        self._known: dict[str, Named] = {}
        self._costs: dict[int, int] = {}  # of one series, by the id of its span
        self._as_of, self._closed_until = times.micros_of(frame.as_of), frame.closed_until()
        self._levels = frame.levels()

    async def answer(self, tickets: Sequence[Ticket]) -> None:
        """Tells each its answer, problem, or None if it is too large."""
        names = {name for ticket in tickets for name in ticket.question.device_ids}
        self._known = await store.named(self._connection, sorted(names))
        new = {layout for device in self._known.values() for layout in device.layouts} - self._memory.layouts.keys()
        if new:
            self._memory.layouts |= await store.metrics_of(self._connection, sorted(new))
        works = list(self._begin(tickets))
        remembered = sum(len(line.rows) for work in works for line in work.lines)
        self._metrics.remembered.inc(remembered)
        self._metrics.read.inc(sum(len(work.lines) * work.span.buckets for work in works) - remembered)
        for need in self._needs(works):
            await self._read(need)
        for work in works:
            work.ticket.tell(self._finished(work))
        self._memory.shrink()

    def _begin(self, tickets: Sequence[Ticket]) -> Iterator[Work]:
        spans: dict[object, Span] = {}
        for ticket in tickets:
            asked = ticket.question
            when = (asked.start, asked.end, asked.bucket, asked.tz)
            try:
                if when not in spans:
                    spans[when] = questions.resolve(asked, self._as_of, self._settings.stats_max_buckets)
                if not all(name in self._known and ticket.who.covers(name) for name in asked.device_ids):
                    raise not_found()
            except Problem as problem:
                ticket.tell(problem)
                continue
            span = spans[when]
            work = Work(ticket, span, self._lines(ticket, span)) if span.buckets <= asked.limit else None
            if work is not None and self._small(work):
                yield work
            else:
                ticket.tell(None)

    def _lines(self, ticket: Ticket, span: Span) -> list[Line]:
        asked, lines = ticket.question, []
        percentiles = tuple(map(questions.percentile_name, asked.percentiles))
        # The one bucket of `none` ends where the range does.
        bucket = span.bucket.name if span.bucket.seconds else f"none {span.end}"
        whole = frozenset(range(*span.whole(self._stored_until(span.bucket))))
        for name in sorted(asked.device_ids):
            device = self._known[name]
            kept = whole - self._behind(device, span)
            metrics = {m: i for layout in device.layouts for m, i in self._memory.layouts[layout].items()}
            for metric in sorted(metrics.keys() & set(asked.metrics) if asked.metrics else metrics):
                shape = Shape(device.id, metric, bucket, asked.tz, percentiles, asked.fill, ticket.media_type)
                shelf = self._memory.shelf(shape, device.revision) if kept else Shelf(device.revision)
                there = {n: shelf.rows[span.starts[n]] for n in kept if span.starts[n] in shelf.rows}
                lines.append(Line(Series(name, metric, ((device.id, metrics[metric]),)), shelf, kept, there))
        return lines

    def _stored_until(self, bucket: Bucket) -> int:
        """Before it, no level will yet be stored of which such a bucket is made."""
        own = [level.until for level in self._levels if not bucket.seconds or level.width <= bucket.seconds * SECOND]
        return min(own, default=-EVER)

    def _behind(self, device: Named, span: Span) -> frozenset[int]:
        """The buckets from the first to the last in which late readings wait."""
        if device.dirty_from is None or device.dirty_last is None:
            return frozenset()
        until = times.micros_of(device.dirty_last) + (self._levels[0].width if self._levels else 0)
        first = np.searchsorted(span.edges, times.micros_of(device.dirty_from), "right") - 1
        return frozenset(range(int(first), int(np.searchsorted(span.edges, until, "left"))))

    def _small(self, work: Work) -> bool:
        span, lines = work.span, work.lines
        if len(lines) * span.buckets > work.ticket.question.limit:
            return False
        if lines and span.buckets and id(span) not in self._costs:
            self._costs[id(span)] = self._asked(work).cost([lines[0].series], 0, span.buckets)
        return self._costs.get(id(span), 0) * len(lines) <= _MOST_COST

    def _needs(self, works: Sequence[Work]) -> list[Need]:
        needs: dict[object, Need] = {}
        for work in works:
            asked, lacks = work.ticket.question, work.lacks()
            if lacks.any():
                key = (id(work.span), lacks.tobytes(), asked.percentiles, asked.fill, work.ticket.media_type)
                need = needs.setdefault(key, Need(self._asked(work), work.ticket.media_type, lacks))
                need.lines += [(work, line) for line in work.lines]
        return list(needs.values())

    def _asked(self, work: Work) -> Asked:
        return Asked(self._connection, self._frame, work.ticket.question, work.span, None, self._settings)

    async def _read(self, need: Need) -> None:
        asked, span = need.asked, need.asked.span
        series = {(line.series.device_id, line.series.metric): line.series for _, line in need.lines}
        cuts = asked.cuts(0, span.buckets)
        read = await tile.read(
            self._connection, self._frame, list(series.values()), cuts, self._settings.stats_max_raw_bytes,
            need.ranges(cuts), self._seen(need),
        )  # fmt: skip
        made = rows.make(read, list(series.values()), span.edges, asked.question, self._closed_until)
        texts = rendering.render(made, asked.question, need.media_type)
        found = {(r.device_id, r.metric, r.start): (text, r.final) for r, text in zip(made, texts, strict=True)}
        numbers = np.flatnonzero(need.buckets).tolist()
        for work, line in need.lines:
            for number in numbers:
                start = span.starts[number]
                text, final = found.get((line.series.device_id, line.series.metric, start), (b"", True))
                line.rows[number] = text
                work.final &= final
                if number in line.kept:
                    self._memory.keep(line.shelf, start, text)

    def _seen(self, need: Need) -> tile.Known | None:
        """What needn't be asked again for."""
        devices = [self._known[line.series.device_id or ""] for _, line in need.lines]
        if any(device.dirty for device in devices):
            return None
        wanted = {line.series.metric for _, line in need.lines}
        layouts = {layout: self._memory.layouts[layout] for device in devices for layout in device.layouts}
        return tile.Known(
            {id_: np.array(list(own.values()), np.int32) for id_, own in layouts.items() if wanted & own.keys()},
            in_time=all(device.revision == 0 for device in devices),
        )

    def _finished(self, work: Work) -> Answer:
        asked, span = work.ticket.question, work.span
        made = [row for line in work.lines for number in range(span.buckets) if (row := line.rows[number])]
        settled = answer.settled(asked, span, self._closed_until, final=work.final)
        return Answer(asked, span, self._as_of, made, settled, None, work.ticket.media_type)
