"""An answer of /stats as a response: JSON or CSV, and what a client may keep of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec
from fastapi import Request, Response

from api_service.query import negotiation, tabular, times
from api_service.query.question import Question, Span
from api_service.query.rows import names

_CSV_TYPE = "text/csv; charset=utf-8; header=present"
# For so long a client may show a settled answer without asking again whether something late came.
_SETTLED_S = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """`rows` are rendered in `media_type`; `settled`: of fixed times, which are all over, with nothing late waiting."""

    question: Question
    span: Span
    as_of: int
    rows: Sequence[bytes]
    settled: bool
    next_cursor: str | None
    media_type: str


def settled(question: Question, span: Span, closed_until: int, *, final: bool) -> bool:
    """Whether only late data can still change an answer, of which all rows are `final` or not."""
    fixed = question.start is not None and not question.start.relative and not question.end.relative
    return fixed and final and span.end <= closed_until


def respond(request: Request, answer: Answer) -> Response:
    """200 with the answer, or 304 where the client has it already.

    The tag is a weak one: `as_of`, and times relative to now, differ between two answers that it calls the same.
    """
    rows = (b"" if answer.media_type == negotiation.CSV else b",").join(answer.rows)
    tag = _tag(answer, rows)
    keep = f"max-age={_SETTLED_S}" if answer.settled else "no-cache"
    headers = {"ETag": tag, "Cache-Control": f"private, {keep}", "Vary": "Accept, Authorization"}
    if _has(request, tag):
        return Response(None, 304, headers)
    if answer.media_type == negotiation.CSV:
        return _csv(answer, rows, headers)
    return Response(_json(answer, rows), 200, headers, negotiation.JSON)


def _tag(answer: Answer, rows: bytes) -> str:
    digest = hashlib.blake2b(rows, digest_size=16)
    digest.update(f"{answer.media_type} {answer.span.bucket.name} {answer.next_cursor}".encode())
    return f'W/"{digest.hexdigest()}"'


def _has(request: Request, tag: str) -> bool:
    """Whether If-None-Match holds the tag, by weak comparison (RFC 9110, 13.1.2)."""
    given = request.headers.get("if-none-match")
    if given is None:
        return False
    return given.strip() == "*" or tag.removeprefix("W/") in (
        part.strip().removeprefix("W/") for part in given.split(",")
    )


def head(answer: Answer) -> dict[str, Any]:
    """What stands before the rows in JSON: of when the answer is, and of what."""
    return {
        "as_of": times.render(answer.as_of),
        "from": times.render(answer.span.start),
        "to": times.render(answer.span.end),
        "bucket": answer.span.bucket.name,
        "tz": answer.question.tz,
    }


def _json(answer: Answer, rows: bytes) -> bytes:
    return msgspec.json.encode(
        {**head(answer), "rows": msgspec.Raw(b"[" + rows + b"]"), "next_cursor": answer.next_cursor}
    )


def _csv(answer: Answer, rows: bytes, headers: dict[str, str]) -> Response:
    if answer.next_cursor is not None:
        query = urlencode({"cursor": answer.next_cursor, "limit": answer.question.limit})
        headers["Link"] = f'</stats?{query}>; rel="next"'
    return Response(tabular.line(names(answer.question)) + rows, 200, headers, _CSV_TYPE)
