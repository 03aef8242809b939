"""`/stats`: from a request to an answer, in one snapshot."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from api_service.auth.bearer import Bearer
from api_service.query import asking, cursor, described, negotiation, question
from api_service.query.answer import respond
from api_service.query.asking import Statistics
from api_service.settings import ApiSettings


def router(statistics: Statistics, bearer: Bearer, settings: ApiSettings) -> APIRouter:
    """The route of statistics; its endpoint needs the request only."""
    routes = APIRouter(tags=["query"])
    reader = bearer.require("read:stats")

    @routes.get("/stats", **described.STATS)
    async def stats(request: Request) -> Response:
        who = await reader(request)
        media_type = negotiation.choose(request.headers.get("accept"))
        pairs = request.query_params.multi_items()
        position = _position(pairs)
        if position is None:
            asked = question.read(tuple(pairs), settings.stats_max_rows)
            return respond(request, await statistics.first(asked, who, media_type, pairs))
        merged = cursor.merge(position, pairs, asking.FREE)
        asked = question.read(tuple(merged), settings.stats_max_rows)
        return respond(request, await statistics.further(asked, who, media_type, position))

    return routes


def _position(pairs: Sequence[tuple[str, str]]) -> cursor.Cursor | None:
    text = next((value for name, value in pairs if name == "cursor"), None)
    return None if text is None else cursor.decode(text, asking.ROUTE)
