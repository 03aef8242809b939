"""Every error answer: RFC 9457 problem details that name the field and the fix, and never echo input."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import Request, Response

from api_service import trace_ids

# What a client may come to us with: the log has more under the same trace id.
_OURS = (500, 503)
MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class FieldError:
    field: str
    detail: str


class Problem(Exception):
    """Ends a request with problem details."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.code, self.errors = status, detail, code, tuple(errors)
        self.headers, self.members = dict(headers or {}), dict(members or {})

    def body(self) -> dict[str, Any]:
        """The members of the problem details; `code`, `errors` and further ones only where there are some."""
        members: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.code is not None:
            members["code"] = self.code
        if self.errors:
            members["errors"] = [{"field": error.field, "detail": error.detail} for error in self.errors]
        if self.status in _OURS and (trace_id := trace_ids.current()) is not None:
            members["trace_id"] = trace_id
        return members | self.members

    def response(self) -> Response:
        """The answer, never to be cached."""
        headers = {"Cache-Control": "no-store", **self.headers}
        return Response(msgspec.json.encode(self.body()), self.status, headers, MEDIA_TYPE)


def invalid(*errors: FieldError) -> Problem:
    """422: each error names a parameter and says what it may be."""
    return Problem(422, "The request has parameters that can't be used; `errors` says which and why.", errors=errors)


def not_found() -> Problem:
    """404, the same bytes for what doesn't exist and for what the token may not see."""
    return Problem(404, "There is no such device, or the token doesn't cover it.", code="not_found")


def unavailable(what: str, retry_after_s: int = 1) -> Problem:
    """503: a server that is needed doesn't answer."""
    return Problem(503, f"{what} Try again.", code="unavailable", headers={"Retry-After": str(retry_after_s)})


def without_parameters(request: Request) -> None:
    """For a route that takes none, as those that take some refuse others.

    Raises:
        Problem: 422, the request has some.
    """
    if request.query_params:
        raise invalid(FieldError("query", "this route takes no parameters: leave them out"))
