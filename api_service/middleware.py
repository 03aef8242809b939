"""What happens to every request: it is counted and timed, and its answer gets the common headers."""

import asyncio
import time
from collections.abc import Iterable

from fastapi import Request
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_service import server_spans, trace_ids
from api_service.endless import ENDLESS
from api_service.floods import Floods
from api_service.limits import client_host
from api_service.metrics import Metrics
from api_service.problems import unavailable
from shared import log, tracing
from shared.plain_errors import reason, trace
from shared.tracing import Span

_log = log.get(__name__)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observe:
    """The outermost layer."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self._floods = Floods("request_unserved")
        # To find a series by its labels costs more than to count in it.
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace_ids.enter(scope)
        span = server_spans.begin(scope) if tracing.on() else None
        started, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_ours(message.get("headers", ()))
                if span is not None:
                    message["headers"] += server_spans.headers(span)
                if ENDLESS in scope:  # how long the client stays says nothing of us
                    self._over(scope, status, started, span)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except asyncio.CancelledError:  # uvicorn gives up what is under way when its grace is over
            await _stopping(status)(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001  starlette has answered with a 500 and raises it on, to be logged
            _log.error(
                "request_failed", method=_method(scope), route=_route(scope), error=reason(error), trace=trace(error)
            )
        finally:
            if ENDLESS not in scope or not status:
                self._over(scope, status, started, span)
            if status == 503:
                self._unserved(scope)

    def _over(self, scope: Scope, status: int, started: float, span: Span | None) -> None:
        self._count(scope, status, time.perf_counter() - started)
        if span is not None:
            server_spans.end(span, _method(scope), _route(scope), status)

    def _unserved(self, scope: Scope) -> None:
        route, address = _route(scope), client_host(Request(scope))
        if route != "/readyz" and self._floods.each(route, address):  # that one is asked all the time, and says more
            _log.warning("request_unserved", method=_method(scope), route=route, address=address)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = scope["method"], _route(scope)
        series = self._series.get((method, route, status))
        if series is None:
            known = _method(scope)
            series = self._metrics.route(known, route, status)
            if known == method:
                self._series[method, route, status] = series
        series[0].inc()
        series[1].observe(seconds)


def _stopping(status: int) -> ASGIApp:
    """The answer to a request that is given up, unless it has one already."""

    async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
        """What was sent stays as it is."""

    return nothing if status else unavailable("The service is stopping.").response()


def _with_ours(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """An answer's headers (names in lower case) and the common ones."""
    own = [*headers, (b"x-content-type-options", b"nosniff")]
    if all(name != b"cache-control" for name, _ in own):
        own.append((b"cache-control", b"no-store"))
    return own


def _method(scope: Scope) -> str:
    """One of a few: anybody may invent others."""
    return scope["method"] if scope["method"] in _METHODS else "other"


def _route(scope: Scope) -> str:
    """The template that matched: never the path itself, which would make a series of every device."""
    return getattr(scope.get("route"), "path", "")
