"""The wiring: which modules this process serves, and what they share."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import psycopg
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from api_service import docs, health
from api_service.auth.routes import Auth
from api_service.database import Database, DatabaseFailures
from api_service.direct import Direct, Handler
from api_service.gateway.receipt import Receipts
from api_service.gateway.routes import Gateway
from api_service.gateway.tracking import Tracking
from api_service.health import Check
from api_service.limits import RateLimits
from api_service.metrics import Metrics
from api_service.middleware import Observe
from api_service.problems import Problem
from api_service.query.routes import Query
from api_service.settings import ApiSettings
from api_service.web import routes as web
from shared.errors import ConfigurationError

# FastAPI's own would say the same again, but for the routes that don't go through it (docs/tracing.md).
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


@dataclass(frozen=True, slots=True)
class Parts:
    """What a module may be made of."""

    settings: ApiSettings
    registry: CollectorRegistry
    metrics: Metrics
    auth: Auth
    limits: RateLimits
    database: Database
    # What modules add to: routes to be reached directly, what readiness asks, what is open while the process serves.
    direct: list[BaseRoute] = field(default_factory=list)
    checks: dict[str, Check] = field(default_factory=dict)
    opened: list[Callable[[], AbstractAsyncContextManager[None]]] = field(default_factory=list)


def _auth(parts: Parts) -> APIRouter:
    return parts.auth.router()


def _query(parts: Parts) -> APIRouter:
    parts.checks["database"] = parts.database.trouble
    made = Query(parts.database, parts.auth.bearer, parts.settings, parts.registry)
    parts.opened.append(made.opened)
    return made.router(parts.direct)


def _gateway(parts: Parts) -> APIRouter:
    receipts = _receipts(parts)  # one for both: without a key for it, it is of this process and of this call
    made = Gateway(parts.settings, parts.auth.bearer, parts.limits, receipts, parts.registry)
    parts.opened.append(made.opened)
    parts.checks["kafka"] = made.trouble
    routes = made.direct()
    parts.direct.extend(routes.routes)
    tracking = Tracking(parts.settings, parts.auth.bearer, receipts, parts.database)
    parts.opened.append(tracking.opened)
    routes.include_router(tracking.router())
    return routes


def _web(_parts: Parts) -> APIRouter:
    return web.router()


def _receipts(parts: Parts) -> Receipts:
    secret = parts.settings.receipt_key.get_secret_value().encode()
    return Receipts(secret or parts.auth.receipt_secret())


MODULES: Mapping[str, Callable[[Parts], APIRouter]] = {
    "auth": _auth,
    "gateway": _gateway,
    "query": _query,
    "web": _web,
}


def create_app(settings: ApiSettings, registry: CollectorRegistry) -> ASGIApp:
    """The ASGI application of these settings.

    Raises:
        ConfigurationError: a module that doesn't exist; a key or a clients' file that can't be used.
    """
    names = _modules(settings.api_modules)
    parts = _parts(settings, registry)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for opened in parts.opened:
                await stack.enter_async_context(opened())
            yield

    handlers: dict[int | type[Exception], Handler] = {
        Problem: _problem,
        HTTPException: _http_exception,
        ClientDisconnect: _gone,
        psycopg.Error: DatabaseFailures(parts.metrics),
        Exception: _failure,
    }
    app = FastAPI(
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        exception_handlers={**handlers},
        telemetry=_NO_TELEMETRY,
    )
    for name in names:
        app.include_router(MODULES[name](parts))
    app.include_router(health.router(parts.checks))
    app.include_router(docs.router(app))
    return Observe(Direct(app, parts.direct, handlers), parts.metrics)


def _parts(settings: ApiSettings, registry: CollectorRegistry) -> Parts:
    metrics = Metrics(registry)
    limits = RateLimits(settings)
    auth = Auth(settings, metrics, limits)
    database = Database(settings)
    parts = Parts(settings, registry, metrics, auth, limits, database, opened=[auth.opened, database.opened])
    if auth.own is None:
        parts.checks["keys"] = auth.source.trouble
    return parts


def _modules(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in MODULES]
    if unknown or not names:
        problem = f"there is no module {', '.join(unknown)}" if unknown else "names no module"
        raise ConfigurationError(f"API_MODULES: {problem} → choose from: {', '.join(MODULES)}")
    return names


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101  what it is registered for
    return error.response()


async def _gone(_request: Request, _error: Exception) -> Response:
    """The client has gone before its body was there: nobody reads the answer."""
    return Response(status_code=400)


async def _failure(_request: Request, _error: Exception) -> Response:
    return Problem(500, "Something went wrong on our side; the service's log says what.").response()


async def _http_exception(_request: Request, error: Exception) -> Response:
    """Starlette's own: no such route, another method."""
    assert isinstance(error, HTTPException)  # noqa: S101  what it is registered for
    if error.status_code == 404:
        detail = "There is no such route; /docs shows those that there are."
    elif error.status_code == 405:
        detail = "This route doesn't take that method; the Allow header names those that it takes."
    else:
        detail = "The request can't be served."
    return Problem(error.status_code, detail, headers=error.headers).response()
