"""Who answers a question: the desk, or for what is too large for it a walk through pages of its own."""

from collections.abc import Sequence

from api_service.auth.claims import Principal
from api_service.database import Database
from api_service.problems import not_found
from api_service.query import answer, cursor, page, question, rendering, times
from api_service.query import statistics_store as store
from api_service.query.answer import Answer
from api_service.query.cursor import Cursor
from api_service.query.desk import Desk
from api_service.query.metrics import QueryMetrics
from api_service.query.page import Asked, Position
from api_service.query.question import Question, Span
from api_service.query.snapshot import snapshot
from api_service.settings import ApiSettings

ROUTE = "stats"
# What a later page may change.
FREE = ("limit", "cursor")

Pairs = Sequence[tuple[str, str]]


class Statistics:
    """One for all requests of a process."""

    def __init__(self, database: Database, settings: ApiSettings, metrics: QueryMetrics) -> None:
        self._database, self._settings, self._metrics = database, settings, metrics
        self._desk = Desk(database, settings, metrics)

    async def first(self, asked: Question, who: Principal, media_type: str, pairs: Pairs = ()) -> Answer:
        """The first page of the answer; `pairs`: the parameters, which its cursor repeats.

        Raises:
            Problem: it can't be answered.
            psycopg.Error: the database ended it.
        """
        found = await self._desk.ask(asked, who, media_type) if asked.device_ids and not asked.fleet else None
        (self._metrics.walk if found is None else self._metrics.desk).inc()
        if found is None:
            found = await self._database.in_time(self._walk(asked, who, media_type, pairs, None))
        return found

    async def further(self, asked: Question, who: Principal, media_type: str, position: Cursor) -> Answer:
        """The page behind a cursor, of the question that it and the request make up. Raises as `first` does."""
        after = Position(*position.after)
        self._metrics.walk.inc()
        return await self._database.in_time(self._walk(asked, who, media_type, position.question, after))

    async def _walk(
        self, asked: Question, who: Principal, media_type: str, pairs: Pairs, after: Position | None
    ) -> Answer:
        async with snapshot(self._database) as connection:
            frame = await store.frame(connection)
            as_of = times.micros_of(frame.as_of)
            span = question.resolve(asked, as_of, self._settings.stats_max_buckets)
            if asked.device_ids and not await store.all_visible(connection, who.devices, asked.device_ids):
                raise not_found()
            found = await page.read(Asked(connection, frame, asked, span, who.devices, self._settings), after)
        settled = answer.settled(asked, span, frame.closed_until(), final=all(row.final for row in found.rows))
        following = _next(pairs, span, found.last)
        return Answer(
            asked, span, as_of, rendering.render(found.rows, asked, media_type), settled, following, media_type
        )


def _next(first: Pairs, span: Span, last: Position | None) -> str | None:
    """The cursor of the next page: the first one's question, with the range that it had then."""
    if last is None:
        return None
    asked = tuple(pair for pair in first if pair[0] not in FREE)
    fixed = (("from", times.render(span.start)), ("to", times.render(span.end)), ("bucket", span.bucket.name))
    return cursor.encode(Cursor(ROUTE, asked, fixed, (last.device_id, last.metric, last.start)))
