"""Questions that name their devices wait here for a moment: all that wait share a snapshot, which begins after them.

So the round trips to the database, and numpy's calls, are made once for many questions.
"""

import asyncio
import contextvars
from collections.abc import Sequence

from psycopg.errors import ProgramLimitExceeded

from api_service.auth.claims import Principal
from api_service.database import Database, asking
from api_service.query import statistics_store as store
from api_service.query.answer import Answer
from api_service.query.batch import Batch, Ticket
from api_service.query.bulk_store import TooMuch
from api_service.query.memory import Memory
from api_service.query.metrics import QueryMetrics
from api_service.query.question import Question
from api_service.query.snapshot import snapshot
from api_service.settings import ApiSettings

_AT_ONCE = 64  # questions a snapshot
_SNAPSHOTS = 1  # two would hide some waiting, and cost more: their batches are half as large (measured)


class Desk:
    """One for all requests of a process."""

    def __init__(self, database: Database, settings: ApiSettings, metrics: QueryMetrics) -> None:
        self._database, self._settings, self._metrics = database, settings, metrics
        self._memory = Memory(None, settings.stats_cache_bytes)
        self._waiting: list[Ticket] = []
        self._working: set[asyncio.Task[None]] = set()
        metrics.memory_bytes.set_function(lambda: self._memory.size)
        metrics.waiting.set_function(lambda: len(self._waiting))

    async def ask(self, question: Question, who: Principal, media_type: str) -> Answer | None:
        """The answer to a question that names devices; None: it is too large for here, and others would have to wait.

        Raises:
            Problem: it can't be answered.
            psycopg.Error: the database ended it.
        """
        ticket = Ticket(question, who, media_type, asyncio.get_running_loop().create_future())
        self._waiting.append(ticket)
        self._next()
        with asking():
            return await ticket.answer

    def _next(self) -> None:
        if self._waiting and len(self._working) < _SNAPSHOTS:
            tickets, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            # Not in the context of the one who happens to begin it: the work is for all of them.
            task = asyncio.get_running_loop().create_task(self._serve(tickets), context=contextvars.Context())
            self._working.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        self._next()

    async def _serve(self, tickets: Sequence[Ticket]) -> None:
        try:
            await self._database.in_time(self._answer(tickets))
        except (TooMuch, ProgramLimitExceeded):
            for ticket in tickets:
                ticket.tell(None)  # alone, each is told itself if it is the one
        except Exception as error:  # noqa: BLE001  whatever it is, those who wait are to be told
            for ticket in tickets:
                ticket.tell(error)

    async def _answer(self, tickets: Sequence[Ticket]) -> None:
        async with snapshot(self._database) as connection:
            frame = await store.frame(connection)
            if frame.server != self._memory.server:
                self._memory = Memory(frame.server, self._settings.stats_cache_bytes)
            await Batch(connection, frame, self._memory, self._settings, self._metrics).answer(tickets)
