"""`/openapi.json`."""

from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.utils import get_openapi

_ABOUT = """Statistics of telemetry that say how exact and how fresh they are. Errors are RFC 9457 problem details."""


def router(app: FastAPI) -> APIRouter:
    """The description of the app's routes, made once they are all there: on the first request."""
    routes = APIRouter(include_in_schema=False)
    made: list[bytes] = []

    @routes.get("/openapi.json")
    async def openapi() -> Response:
        if not made:
            made.append(msgspec.json.encode(describe(app)))
        return Response(made[0], 200, {"Cache-Control": "no-cache"}, "application/json")

    return routes


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document."""
    return get_openapi(title="Plumbline", version="1", description=_ABOUT, routes=app.routes)
