"""What a client is told whose request is still under way when the service's time to stop is over."""

import asyncio
import json
from typing import Any

from prometheus_client import CollectorRegistry
from starlette.types import Message, Receive, Scope, Send

from api_service.metrics import Metrics
from api_service.middleware import Observe

SCOPE: Scope = {
    "type": "http", "http_version": "1.1", "method": "POST", "path": "/ingest", "raw_path": b"/ingest", "root_path": "",
    "query_string": b"", "headers": [], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "scheme": "http",
}  # fmt: skip
START: Message = {"type": "http.response.start", "status": 200, "headers": []}


def cancelled(*, begun: bool) -> list[Any]:
    """What is sent for a request that waits, and is given up; `begun`: once its answer has begun."""
    sent: list[Any] = []

    async def request() -> None:
        waits = asyncio.Event()

        async def waiting(_scope: Scope, _receive: Receive, send: Send) -> None:
            if begun:
                await send(START)
            waits.set()
            await asyncio.Event().wait()

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        task = asyncio.create_task(Observe(waiting, Metrics(CollectorRegistry()))({**SCOPE}, receive, send))
        await waits.wait()
        task.cancel()
        await task

    asyncio.run(asyncio.wait_for(request(), 5))
    return sent


def test_it_may_try_again() -> None:
    start, body = cancelled(begun=False)
    assert start["status"] == 503
    assert dict(start["headers"])[b"retry-after"] == b"1"
    assert json.loads(body["body"])["detail"] == "The service is stopping. Try again."


def test_an_answer_that_has_begun_gets_no_second_one() -> None:
    assert [message["type"] for message in cancelled(begun=True)] == ["http.response.start"]
