"""The API's connections to Postgres: read-only, bounded in number and in time; one that is away is a 503 at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, TypeVar

import psycopg
from fastapi import Request, Response
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from api_service.metrics import Metrics
from api_service.problems import unavailable
from api_service.settings import ApiSettings
from shared import tracing
from shared.db import Fault, async_pool, classify
from shared.errors import PlumblineError
from shared.tracing import Span

T = TypeVar("T")

# Less than the second in which a client is told that the database is away.
_WAIT_S = 0.8


class Database:
    """A pool to be opened once the event loop runs."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._pool: AsyncConnectionPool | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """The pool is open in the block. A database that is away is no error here: it may come."""
        milliseconds = int(self._settings.stats_timeout_seconds * 1000)
        options = f"-c statement_timeout={milliseconds} -c timezone=UTC -c default_transaction_read_only=on"
        # A transaction is a snapshot: all its statements see the same state.
        options += r" -c default_transaction_isolation=repeatable\ read"
        self._pool = async_pool(
            self._settings.conninfo("plumbline-api"),
            self._settings.api_db_connections,
            kwargs={"options": options, "autocommit": True},
            check=AsyncConnectionPool.check_connection,
        )
        async with self._pool:
            yield

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """A connection that answered just now.

        Raises:
            psycopg.OperationalError: there is none within a second.
        """
        if self._pool is None:
            raise RuntimeError("the pool is used before `opened`")
        pool = self._pool
        try:
            connection = await _within(_WAIT_S + 0.1, pool.getconn(_WAIT_S), pool.putconn)
        except PoolTimeout:
            _clear_line(pool)
            raise
        try:
            async with connection:
                yield connection
        finally:
            await pool.putconn(connection)

    async def trouble(self) -> str | None:
        """What keeps it from serving us, with the fix; None: nothing."""
        try:
            async with self.connection() as connection:
                await connection.execute("SELECT FROM materialized LIMIT 1")
        except psycopg.errors.UndefinedTable:
            return "it has no schema → run python -m shared.migrations"
        except psycopg.errors.InsufficientPrivilege:
            return "our role may not read it → run python -m shared.migrations, and set DB_USER to plumbline_api"
        except (psycopg.Error, PlumblineError):
            return (
                "it doesn't answer → start it (`plumbline up`), or set DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME"
            )
        return None

    async def in_time(self, work: Coroutine[None, None, T]) -> T:
        """The result of `work`, which may wait for a database that hangs and so can't be relied on to end.

        Raises:
            psycopg.errors.QueryCanceled: it took longer than a question may.
        """
        with asking():
            return await _within(self._settings.stats_timeout_seconds + _WAIT_S, work)


def asking() -> AbstractContextManager[Span | None]:
    """A request waits in the block for the database."""
    return tracing.child("postgresql", "client", {"db.system.name": "postgresql"})


async def _within(
    seconds: float, work: Coroutine[None, None, T], give_back: Callable[[T], Coroutine[None, None, None]] | None = None
) -> T:
    """The result of `work`; after `seconds` it is cancelled and left to end by itself: psycopg asks the server first.

    What it yields when nobody waits any more goes to `give_back`.
    """

    def ended(task: asyncio.Task[T]) -> None:
        if not task.cancelled() and task.exception() is None and give_back is not None:
            _LEFT.add(again := asyncio.ensure_future(give_back(task.result())))
            again.add_done_callback(_LEFT.discard)

    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            _LEFT.add(task)
            task.add_done_callback(_LEFT.discard)
            task.add_done_callback(ended)
            task.cancel()
    if not task.done():
        raise psycopg.errors.QueryCanceled if give_back is None else PoolTimeout
    return task.result()


def _clear_line(pool: AsyncConnectionPool) -> None:
    """Those who waited in vain leave the line.

    The pool keeps them until a connection comes. A line that is full of them lets nobody in, and only who is let in
    makes the pool connect again: a database that was away for long would stay away for good.
    """
    line = pool._waiting  # noqa: SLF001  nothing public reaches it
    for _ in range(len(line)):
        client = line.popleft()
        if client.error is None:
            line.append(client)


# The event loop keeps weak references only.
_LEFT: set[asyncio.Future[Any]] = set()


class DatabaseFailures:
    """Turns database errors into answers: 503 where trying again helps, else a failure of ours."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(self, _request: Request, error: Exception) -> Response:
        if isinstance(error, psycopg.errors.QueryCanceled):
            self._metrics.database_failures.labels("timeout").inc()
            return unavailable("The question took too long: ask for less, or a shorter time.", 5).response()
        if not isinstance(error, psycopg.Error) or not _retryable(error):
            raise error
        self._metrics.database_failures.labels("unavailable").inc()
        return unavailable("The database doesn't answer, or all connections to it are busy.").response()


def _retryable(error: psycopg.Error) -> bool:
    return isinstance(error, PoolTimeout | TooManyRequests) or classify(error) is Fault.RETRY
