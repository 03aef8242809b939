"""`GET /ingest/{receipt}` and `GET /check-buffer`: what becomes of events once Kafka has them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api_service.auth.bearer import Bearer
from api_service.auth.claims import Principal
from api_service.database import Database
from api_service.gateway import described, status, store
from api_service.gateway.buffer import Buffer
from api_service.gateway.receipt import Receipts
from api_service.problems import without_parameters
from shared.settings import TopicSettings


class Tracking:
    """Both routes; they read the database, the second one Kafka too."""

    def __init__(self, settings: TopicSettings, bearer: Bearer, receipts: Receipts, database: Database) -> None:
        self._bearer, self._receipts, self._database = bearer, receipts, database
        self._buffer = Buffer(settings, database)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """They answer in the block."""
        async with self._buffer.opened():
            yield

    def router(self) -> APIRouter:
        """The routes."""
        routes = APIRouter(tags=["gateway"])
        writer, reader = (Depends(self._bearer.require(scope)) for scope in ("write:readings", "read:records"))

        @routes.get("/ingest/{receipt}", **described.RECEIPT)
        async def receipt(request: Request, receipt: str, who: Annotated[Principal, writer]) -> Response:
            without_parameters(request)
            return _json(await self._database.in_time(self._report(receipt, who)))

        @routes.get("/check-buffer", dependencies=[reader], **described.CHECK_BUFFER)
        async def check_buffer(request: Request) -> Response:
            without_parameters(request)
            return _json(await self._buffer.look())

        return routes

    async def _report(self, text: str, who: Principal) -> dict[str, Any]:
        accepted = self._receipts.read(text, who.subject)
        # In one snapshot: what counts as read has its dead letters.
        async with self._database.connection() as connection, connection.transaction():
            chapters = await store.chapters(connection, accepted.topic_id)
            dead = await store.dead_letters(connection, accepted)
        return status.report(text, accepted, chapters, dead)


def _json(body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")
