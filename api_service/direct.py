"""A way past FastAPI's layers for routes that are asked a thousand times a second.

Such a route is declared and described as any other. Its endpoint takes the request and returns the response, and finds
out itself what it needs, such as who asks; errors become answers as everywhere. That halves what HTTP costs.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

Handler = Callable[[Request, Exception], Coroutine[Any, Any, Response]]


class Direct:
    """In front of the app: requests of some methods and paths go straight to their endpoints."""

    def __init__(
        self, app: ASGIApp, routes: Iterable[BaseRoute], handlers: Mapping[int | type[Exception], Handler]
    ) -> None:
        self._app, self._handlers = app, handlers
        own = [route for route in routes if isinstance(route, APIRoute)]
        self._routes = {(method, route.path): route for route in own for method in route.methods or ()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        request = Request(scope, receive)
        try:
            response = await route.endpoint(request)
        except Exception as error:  # noqa: BLE001  each becomes the answer that it would be anywhere else
            await self._failed(request, error, send)
            return
        await response(scope, receive, send)

    async def _failed(self, request: Request, error: Exception, send: Send) -> None:
        for kind in type(error).__mro__:
            if kind in self._handlers and kind is not Exception:
                try:
                    response = await self._handlers[kind](request, error)
                except Exception:  # noqa: BLE001  a handler that passes it on
                    break
                await response(request.scope, request.receive, send)
                return
        response = await self._handlers[Exception](request, error)
        await response(request.scope, request.receive, send)
        raise error
