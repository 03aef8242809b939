"""`/stats`: from a request to an answer, in one snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api_service.auth.bearer import Bearer
from api_service.auth.claims import Principal
from api_service.database import Database
from api_service.problems import not_found
from api_service.query import cursor, described, negotiation, page, question, rows, tabular, times
from api_service.query import statistics_store as store
from api_service.query.page import Asked, Page, Position
from api_service.query.question import Question, Span
from api_service.query.snapshot import snapshot
from api_service.settings import ApiSettings

ROUTE = "stats"
# What a later page may change.
_FREE = ("limit", "cursor")


@dataclass(frozen=True, slots=True)
class Answer:
    question: Question
    span: Span
    as_of: int
    page: Page
    next_cursor: str | None


def router(database: Database, bearer: Bearer, settings: ApiSettings) -> APIRouter:
    """The route of statistics."""
    routes = APIRouter(tags=["query"])
    reader = Depends(bearer.require("read:stats"))

    @routes.get("/stats", **described.STATS)
    async def stats(request: Request, who: Annotated[Principal, reader]) -> Response:
        media_type = negotiation.choose(request.headers.get("accept"))
        pairs = request.query_params.multi_items()
        position = _position(pairs)
        answer = await database.in_time(_answer(database, settings, who, pairs, position))
        return _as_csv(answer) if media_type == negotiation.CSV else _as_json(answer)

    return routes


def _position(pairs: Sequence[tuple[str, str]]) -> cursor.Cursor | None:
    text = next((value for name, value in pairs if name == "cursor"), None)
    return None if text is None else cursor.decode(text, ROUTE)


async def _answer(
    database: Database,
    settings: ApiSettings,
    who: Principal,
    given: Sequence[tuple[str, str]],
    position: cursor.Cursor | None,
) -> Answer:
    pairs = given if position is None else cursor.merge(position, given, _FREE)
    asked = question.read(pairs, settings.stats_max_rows)
    async with snapshot(database) as connection:
        frame = await store.frame(connection)
        as_of = times.micros_of(frame.as_of)
        span = question.resolve(asked, as_of, settings.stats_max_buckets)
        if asked.device_ids and not await store.all_visible(connection, who.devices, asked.device_ids):
            raise not_found()
        found = await page.read(Asked(connection, frame, asked, span, who.devices, settings), _after(position))
    return Answer(asked, span, as_of, found, _next(given if position is None else position.question, span, found.last))


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


def _as_json(answer: Answer) -> Response:
    members = rows.names(answer.question)
    body = {
        "as_of": times.render(answer.as_of),
        "from": times.render(answer.span.start),
        "to": times.render(answer.span.end),
        "bucket": answer.span.bucket.name,
        "tz": answer.question.tz,
        "rows": [dict(zip(members, rows.texts(row), strict=True)) for row in answer.page.rows],
        "next_cursor": answer.next_cursor,
    }
    return Response(msgspec.json.encode(body), 200, {"Vary": "Accept"}, negotiation.JSON)


def _as_csv(answer: Answer) -> Response:
    headers = {"Vary": "Accept"}
    if answer.next_cursor is not None:
        query = urlencode({"cursor": answer.next_cursor, "limit": answer.question.limit})
        headers["Link"] = f'</stats?{query}>; rel="next"'
    body = tabular.render(rows.names(answer.question), map(rows.texts, answer.page.rows))
    return Response(body, 200, headers, "text/csv; charset=utf-8; header=present")
