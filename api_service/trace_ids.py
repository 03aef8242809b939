"""The trace id of the request that is being answered: looked for, or made, only once somebody asks for it."""

import secrets
from collections.abc import Mapping
from contextvars import ContextVar

from starlette.types import Scope

from shared import tracing
from shared.tracing import Context

_KEY = "plumbline.trace_id"
_scope: ContextVar[Scope | None] = ContextVar("scope", default=None)

enter = _scope.set
"""From now on this task answers the request of this scope."""


def caller(scope: Scope) -> Context | None:
    """The context that the request came with, if its one `traceparent` is as W3C has it."""
    given = [value for name, value in scope["headers"] if name == b"traceparent"]
    return tracing.parse(given[0]) if len(given) == 1 else None


def keep(scope: Scope, trace_id: str) -> None:
    """The request has this one."""
    scope[_KEY] = trace_id


def current() -> str | None:
    """The caller's, or a new one; None: no request is being answered."""
    scope = _scope.get()
    if scope is None:
        return None
    if _KEY not in scope:
        came = caller(scope)
        scope[_KEY] = came.trace_id if came else secrets.token_hex(16)
    return str(scope[_KEY])


def identify() -> Mapping[str, str]:
    """For the log: the ids of the span where there is one, else the request's."""
    found = tracing.identify()
    if not found and (trace_id := current()) is not None:
        return {"trace_id": trace_id}
    return found
