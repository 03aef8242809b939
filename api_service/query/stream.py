"""`/stats/stream`: server-sent events, the rows of a question as they change."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import replace

import msgspec
from fastapi import APIRouter, Request, Response

from api_service.auth.bearer import Bearer
from api_service.endless import Endless, EventStream, event
from api_service.problems import FieldError, Problem, invalid
from api_service.query import changes, described_live, question
from api_service.query.channel import MOST_ROWS
from api_service.query.hub import Hub
from api_service.query.listener import Listener
from api_service.query.parameters import Parameters
from api_service.query.question import Question
from api_service.query.times import SECOND
from api_service.settings import ApiSettings
from shared.statistics.buckets import Bucket, parse_bucket

PARAMETERS = tuple(name for name in question.KNOWN if name not in described_live.LEFT_OUT)
_RETRY = b"retry: 2000\n\n"
_EXPIRED = event("end", msgspec.json.encode({"reason": "token_expired"}))
_REFUSED = (400, 401, 403)


def router(hub: Hub, bearer: Bearer, settings: ApiSettings) -> APIRouter:
    """The route of the stream."""
    routes = APIRouter(tags=["query"])
    reader, heartbeat_s = bearer.require("read:stats"), settings.stream_heartbeat_seconds

    @routes.get("/stats/stream", **described_live.STREAM)
    async def stream(request: Request) -> Response:
        who = await reader(request)
        asked, bucket = _question(request)
        endless, stack = Endless(), AsyncExitStack()
        listener = Listener(endless)
        known = changes.heard(request.headers.get("last-event-id"))
        channel = await stack.enter_async_context(hub.listening(asked, bucket, who, listener, known))

        async def events() -> AsyncGenerator[bytes, None]:
            yield _RETRY
            due = time.monotonic() + heartbeat_s
            while True:
                try:
                    yield await asyncio.wait_for(listener.next(), due - time.monotonic())
                except TimeoutError:
                    if not await allowed():
                        yield _EXPIRED
                        return
                    yield channel.pulse()
                    due = time.monotonic() + heartbeat_s

        async def allowed() -> bool:
            try:
                await reader(request)
            except Problem as problem:
                return problem.status not in _REFUSED
            return True

        return EventStream(events(), endless, stack.aclose)

    return routes


def _question(request: Request) -> tuple[Question, Bucket]:
    """What is listened to: as of /stats, but it goes on, so it has no end and no pages.

    Raises:
        Problem: 422, with every parameter that can't be used.
    """
    pairs = request.query_params.multi_items()
    Parameters(pairs, PARAMETERS, question.REPEATABLE).finish()
    asked = question.read(tuple(pairs), MOST_ROWS)
    bucket = asked.bucket
    if bucket is None:
        bucket = parse_bucket("1m") if asked.start is None else _auto(asked)
    if not bucket.seconds:
        raise invalid(FieldError("bucket", "a stream needs buckets: a width such as 1m, 1h or 1d, or auto"))
    return replace(asked, bucket=bucket, limit=MOST_ROWS), bucket


def _auto(asked: Question) -> Bucket:
    return question.resolve(asked, int(time.time() * SECOND), MOST_ROWS).bucket
