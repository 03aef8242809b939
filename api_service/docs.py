"""`/openapi.json`, and `/docs`, a page of it that loads nothing from elsewhere."""

from importlib import resources
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.utils import get_openapi

from api_service import answers, pages
from api_service.problems import Problem

_ABOUT = """Statistics of telemetry that say how exact and how fresh they are.

Times in answers are RFC 3339 in UTC. Every list is `{"rows": […], "next_cursor": "…" or null}`: following the cursor \
to its end gives each row that was there at the start once. Errors are problem details (RFC 9457) that name the field \
and the fix."""

_FILES = {
    "docs.js": ("docs.js", "text/javascript; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
    "swagger-ui-bundle.js": ("swagger-ui/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    "swagger-ui.css": ("swagger-ui/swagger-ui.css", "text/css; charset=utf-8"),
}

_SCOPES = {
    "read:stats": "statistics and devices",
    "read:records": "events as they were sent, and what waits to be stored",
    "write:readings": "sending events, and what became of them",
}
_TOKEN = {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/auth/token", "scopes": _SCOPES}}}
_FOREIGN_TOKEN = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def router(app: FastAPI) -> APIRouter:
    """The routes; the description is made on the first request, when the app has all of its own."""
    routes = APIRouter(include_in_schema=False)
    made: list[bytes] = []

    @routes.get("/openapi.json")
    async def openapi() -> Response:
        if not made:
            made.append(msgspec.json.encode(describe(app)))
        return Response(made[0], 200, {"Cache-Control": "no-cache"}, "application/json")

    @routes.get("/docs")
    async def page() -> Response:
        return Response(_static("docs.html"), 200, pages.HEADERS, "text/html; charset=utf-8")

    @routes.get("/docs/{name}")
    async def file(name: str) -> Response:
        if name not in _FILES:
            raise Problem(404, "There is no such file.")
        path, media_type = _FILES[name]
        return Response(_static(path), 200, {"Cache-Control": "public, max-age=3600"}, media_type)

    return routes


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document."""
    document = get_openapi(title="Plumbline", version="1", description=_ABOUT, routes=app.routes)
    components = document.setdefault("components", {})
    # Without an issuer here, tokens come from elsewhere.
    components["securitySchemes"] = {"token": _TOKEN if "/auth/token" in document["paths"] else _FOREIGN_TOKEN}
    components.setdefault("schemas", {})["Problem"] = answers.PROBLEM
    for path, operations in document["paths"].items():
        for operation in operations.values():
            answers.complete(path, operation)
    return document


def _static(path: str) -> bytes:
    return (resources.files("api_service") / "static" / path).read_bytes()
