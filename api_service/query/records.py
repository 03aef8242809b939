"""`/records`: events as they were accepted, newest first."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from api_service.auth.bearer import Bearer
from api_service.auth.claims import Principal
from api_service.database import Database
from api_service.problems import not_found
from api_service.query import cursor, described, events, times
from api_service.query import records_store as store
from api_service.query.history import History, Place
from api_service.query.parameters import MOST_NAMES, Pairs, Parameters, between
from api_service.query.snapshot import snapshot
from api_service.query.times import Time

ROUTE = "records"
KNOWN = ("device_id", "metric", "from", "to", "limit", "cursor")
_FREE = ("limit", "cursor")
_MOST_ID = 2**31


@dataclass(frozen=True, slots=True)
class Question:
    """As asked: times may be relative yet."""

    device_ids: tuple[str, ...]
    metrics: tuple[str, ...]
    start: Time | None
    end: Time | None
    limit: int


def router(database: Database, bearer: Bearer, most_rows: int) -> APIRouter:
    """The route of records; its endpoint needs the request only."""
    routes = APIRouter(tags=["query"])
    reader = bearer.require("read:records")

    @routes.get("/records", **described.RECORDS)
    async def records(request: Request) -> Response:
        who = await reader(request)
        given = request.query_params.multi_items()
        body = await database.in_time(_answer(database, who, given, most_rows))
        return Response(body, media_type="application/json")

    return routes


async def _answer(database: Database, who: Principal, given: Pairs, most_rows: int) -> bytes:
    pairs, first, after = given, given, None
    text = next((value for name, value in given if name == "cursor"), None)
    if text is not None:
        position = cursor.decode(text, ROUTE)
        pairs, first, after = cursor.merge(position, given, _FREE), position.question, _place(position)
    asked = _read(pairs, most_rows)
    async with snapshot(database) as connection:
        devices = await store.devices(connection, who.devices, asked.device_ids, asked.metrics)
        if len(devices) < len(asked.device_ids):
            raise not_found()
        start, end = between(asked.start, asked.end, times.micros_of(devices[0].as_of))
        history = History(connection, devices, filtered=bool(asked.metrics))
        found = await history.newest(start, end, asked.limit + 1, after)
        rows = await history.rendered(found[: asked.limit])
    following = None
    if len(rows) < len(found):
        following = _next(first, (start, end), history.place(found[len(rows) - 1]))
    return events.page(rows, following)


def _read(pairs: Pairs, most_rows: int) -> Question:
    """The question that these parameters ask.

    Raises:
        Problem: 422, with every parameter that can't be used.
    """
    parameters = Parameters(pairs, KNOWN, ("device_id", "metric"))
    question = Question(
        device_ids=parameters.devices("device_id", MOST_NAMES),
        metrics=parameters.metrics("metric", MOST_NAMES),
        start=parameters.time("from"),
        end=parameters.time("to"),
        limit=parameters.limit(most_rows),
    )
    if not question.device_ids:
        parameters.fail("device_id", f"name at least one device, at most {MOST_NAMES}")
    parameters.finish()
    return question


def _place(position: cursor.Cursor) -> Place:
    device_id, layout, ts = position.after
    if not (layout.isascii() and layout.isdigit() and len(layout) <= 10 and int(layout) < _MOST_ID):
        raise cursor.wrong()
    return Place(ts, device_id, int(layout))


def _next(first: Pairs, span: tuple[int, int], last: Place) -> str:
    """The cursor of the next page: the first one's question, with the range that it had then."""
    fixed = (("from", times.render(span[0])), ("to", times.render(span[1])))
    asked = tuple(pair for pair in first if pair[0] not in _FREE)
    return cursor.encode(cursor.Cursor(ROUTE, asked, fixed, (last.device_id, str(last.layout), last.ts)))
