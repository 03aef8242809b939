"""`GET /check-buffer`: what was accepted and isn't stored yet."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from confluent_kafka import KafkaException

from api_service.database import Database
from api_service.gateway import store
from api_service.gateway.backlog import Backlog, Waiting
from api_service.gateway.store import Position
from api_service.problems import unavailable
from shared.settings import TopicSettings

_FRESH_S = 0.5  # an answer serves all who ask within


class Buffer:
    """One look at a time, however many ask; it happens in a thread of its own."""

    def __init__(self, settings: TopicSettings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._thread = ThreadPoolExecutor(1, "buffer")
        self._backlog: Backlog | None = None
        self._looking: asyncio.Task[dict[str, Any]] | None = None
        self._since = 0.0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """May be asked in the block; Kafka is talked to once it is."""
        try:
            yield
        finally:
            await asyncio.to_thread(self._close)

    async def look(self) -> dict[str, Any]:
        """The answer, at most a moment old.

        Raises:
            Problem: 503, Kafka doesn't answer.
            psycopg.Error: the database doesn't.
        """
        if self._looking is None or (self._looking.done() and time.monotonic() - self._since > _FRESH_S):
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)  # who goes away doesn't end it for others

    async def _look(self) -> dict[str, Any]:
        try:
            positions = await self._database.in_time(self._positions())
            found = await asyncio.get_running_loop().run_in_executor(self._thread, self._found, positions)
        except (KafkaException, TimeoutError):
            raise unavailable("Kafka doesn't answer.") from None
        finally:
            self._since = time.monotonic()
        return answer(self._settings.topic_readings, found, time.time())

    async def _positions(self) -> Sequence[Position]:
        async with self._database.connection() as connection:
            return await store.positions(connection, self._settings.topic_readings)

    def _found(self, positions: Sequence[Position]) -> list[Waiting]:
        if self._backlog is None:
            self._backlog = Backlog(self._settings)
        return self._backlog.look(positions)

    def _close(self) -> None:
        self._thread.shutdown()
        if self._backlog is not None:
            self._backlog.close()


def answer(topic: str, found: Sequence[Waiting], now: float) -> dict[str, Any]:
    """The answer at `now` (epoch seconds)."""
    rows = [
        {
            "topic": topic,
            "partition": each.partition,
            "count": each.count,
            "oldest_age_seconds": None if each.oldest_ms is None else max(0.0, round(now - each.oldest_ms / 1000, 3)),
        }
        for each in found
    ]
    return {"rows": rows, "count": sum(each.count for each in found), "next_cursor": None}
