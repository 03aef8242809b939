"""One view of the database for a whole answer: nothing is seen twice or missed while others write."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from api_service.database import Database


@asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection in a read-only transaction whose statements all see the same state."""
    async with database.connection() as connection, connection.transaction():
        yield connection
