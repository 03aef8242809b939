"""A request as a span, with its caller's as parent. Health routes are asked all the time, and have none."""

from starlette.types import Scope

from api_service import trace_ids
from shared import tracing
from shared.tracing import Span

_UNTRACED = ("/healthz", "/readyz")


def begin(scope: Scope) -> Span | None:
    """The span of the request that this task answers from now on; None: it is one of health."""
    if scope["path"] in _UNTRACED:
        return None
    span = tracing.start("HTTP", "server", parent=trace_ids.caller(scope))
    if span is not None:
        trace_ids.keep(scope, span.context.trace_id)
    tracing.enter(span)
    return span


def headers(span: Span) -> list[tuple[bytes, bytes]]:
    """What tells the client which trace it was (W3C's `traceresponse`)."""
    return [(b"traceresponse", span.context.header().encode())]


def end(span: Span, method: str, route: str, status: int) -> None:
    """The answer has gone; 0: there was none."""
    span.rename(f"{method} {route}".rstrip())
    attributes: dict[str, str | int] = {"http.request.method": method, "http.response.status_code": status}
    span.note(attributes | ({"http.route": route} if route else {}))
    span.end(str(status) if status >= 500 or not status else None)
