"""The API's connections to Postgres: read-only, bounded in number and in time; one that is away is a 503 at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from fastapi import Request, Response
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from api_service.metrics import Metrics
from api_service.problems import unavailable
from api_service.settings import ApiSettings
from shared import log
from shared.db import Fault, async_pool, classify

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
        options = f"-c statement_timeout={milliseconds} -c default_transaction_read_only=on -c timezone=UTC"
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
        try:
            async with asyncio.timeout(_WAIT_S + 0.1) as deadline, self._pool.connection(_WAIT_S) as connection:
                deadline.reschedule(None)
                yield connection
        except TimeoutError:
            raise PoolTimeout("the database accepts connections, but doesn't answer") from None


class DatabaseFailures:
    """Turns database errors into answers: 503 where trying again helps, else a failure of ours."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._log = log.get(__name__)

    async def __call__(self, _request: Request, error: Exception) -> Response:
        if isinstance(error, psycopg.errors.QueryCanceled):
            self._metrics.database_failures.labels("timeout").inc()
            return unavailable("The question took too long: ask for less, or a shorter time.", 5).response()
        if not isinstance(error, psycopg.Error) or not _retryable(error):
            raise error
        self._metrics.database_failures.labels("unavailable").inc()
        self._log.warning("database_unavailable", error=type(error).__name__)
        return unavailable("The database doesn't answer.").response()


def _retryable(error: psycopg.Error) -> bool:
    return isinstance(error, PoolTimeout | TooManyRequests) or classify(error) is Fault.RETRY
