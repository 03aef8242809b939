"""`/stats`: from a request to an answer, in one snapshot."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from api_service.auth.bearer import Bearer
from api_service.auth.claims import Principal
from api_service.database import Database
from api_service.problems import not_found
from api_service.query import answer, cursor, described, negotiation, page, question, rendering, times
from api_service.query import statistics_store as store
from api_service.query.answer import Answer, respond
from api_service.query.desk import Desk
from api_service.query.metrics import QueryMetrics
from api_service.query.page import Asked, Position
from api_service.query.question import Question, Span
from api_service.query.snapshot import snapshot
from api_service.settings import ApiSettings

ROUTE = "stats"
# What a later page may change.
_FREE = ("limit", "cursor")


def router(database: Database, bearer: Bearer, settings: ApiSettings, metrics: QueryMetrics) -> APIRouter:
    """The route of statistics; its endpoint needs the request only."""
    routes = APIRouter(tags=["query"])
    reader, desk = bearer.require("read:stats"), Desk(database, settings, metrics)

    @routes.get("/stats", **described.STATS)
    async def stats(request: Request) -> Response:
        who = await reader(request)
        media_type = negotiation.choose(request.headers.get("accept"))
        pairs = request.query_params.multi_items()
        position = _position(pairs)
        asked = question.read(
            tuple(pairs if position is None else cursor.merge(position, pairs, _FREE)), settings.stats_max_rows
        )
        found = None
        if position is None and asked.device_ids and not asked.fleet:
            found = await desk.ask(asked, who, media_type)
        (metrics.walk if found is None else metrics.desk).inc()
        if found is None:
            first = pairs if position is None else position.question
            found = await database.in_time(_walk(database, settings, who, asked, media_type, first, position))
        return respond(request, found)

    return routes


def _position(pairs: Sequence[tuple[str, str]]) -> cursor.Cursor | None:
    text = next((value for name, value in pairs if name == "cursor"), None)
    return None if text is None else cursor.decode(text, ROUTE)


async def _walk(
    database: Database,
    settings: ApiSettings,
    who: Principal,
    asked: Question,
    media_type: str,
    first: Sequence[tuple[str, str]],
    position: cursor.Cursor | None,
) -> Answer:
    """A page of the answer, in a snapshot of its own."""
    async with snapshot(database) as connection:
        frame = await store.frame(connection)
        as_of = times.micros_of(frame.as_of)
        span = question.resolve(asked, as_of, settings.stats_max_buckets)
        if asked.device_ids and not await store.all_visible(connection, who.devices, asked.device_ids):
            raise not_found()
        found = await page.read(Asked(connection, frame, asked, span, who.devices, settings), _after(position))
    settled = answer.settled(asked, span, frame.closed_until(), final=all(row.final for row in found.rows))
    following = _next(first, span, found.last)
    return Answer(asked, span, as_of, rendering.render(found.rows, asked, media_type), settled, following, media_type)


def _after(position: cursor.Cursor | None) -> Position | None:
    if position is None:
        return None
    return Position(*position.after)


def _next(first: Sequence[tuple[str, str]], span: Span, last: Position | None) -> str | None:
    """The cursor of the next page: the first one's question, with the range that it had then."""
    if last is None:
        return None
    asked = tuple(pair for pair in first if pair[0] not in _FREE)
    fixed = (("from", times.render(span.start)), ("to", times.render(span.end)), ("bucket", span.bucket.name))
    return cursor.encode(cursor.Cursor(ROUTE, asked, fixed, (last.device_id, last.metric, last.start)))
