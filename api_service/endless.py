"""An answer without an end: server-sent events, until the client goes, the process stops or the client is too slow."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from fastapi import Response
from starlette.types import Receive, Scope, Send

# In the scope of a request whose answer is one: its connection is closed when the process stops.
ENDLESS = "plumbline.endless"


@dataclass(slots=True)
class Endless:
    """What the connection looks at some times a second."""

    too_slow: bool = False  # the connection is to be cut: the client doesn't read what waits for it


class EventStream(Response):
    """The events, each as it comes; `closed` is called when it has ended or the client is gone."""

    media_type = "text/event-stream"

    def __init__(
        self, events: AsyncGenerator[bytes, None], endless: Endless, closed: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(None, 200, {"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events, self._endless, self._closed = events, endless, closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ENDLESS] = self._endless
        tasks = [asyncio.ensure_future(self._write(send)), asyncio.ensure_future(_gone(receive))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            await self._events.aclose()
            await self._closed()
        for result in ended:
            if isinstance(result, Exception):
                raise result

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for event in self._events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


def event(name: str, data: bytes, number: str | None = None) -> bytes:
    """An event as it is sent; `data` is one line, `number` its id."""
    head = f"id: {number}\n" if number is not None else ""
    return b"%bevent: %b\ndata: %b\n\n" % (head.encode(), name.encode(), data)
