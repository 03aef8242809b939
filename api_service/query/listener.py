"""What waits for a client that listens: bounded, so that one who doesn't read is dropped instead of remembered."""

import asyncio
from collections import deque

from api_service.endless import Endless

# Events that aren't written to its connection yet. The connection itself holds 64 KiB more.
_MOST_EVENTS = 16


class Listener:
    """One client. `endless` is told when it is too slow."""

    def __init__(self, endless: Endless) -> None:
        self._endless = endless
        self._events: deque[bytes] = deque()
        self._news = asyncio.Event()

    @property
    def overrun(self) -> bool:
        """Whether it was too slow, and is being dropped."""
        return self._endless.too_slow

    def offer(self, event: bytes) -> None:
        """Puts an event behind those that wait; one too many is the end of it."""
        if self.overrun:
            return
        self._events.append(event)
        if len(self._events) > _MOST_EVENTS:
            self._events.clear()
            self._endless.too_slow = True
        self._news.set()

    async def next(self) -> bytes:
        """The next event, as soon as there is one."""
        while not self._events:
            self._news.clear()
            await self._news.wait()
        return self._events.popleft()
