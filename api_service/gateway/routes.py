"""The routes of the gateway module."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import APIRouter
from prometheus_client import CollectorRegistry

from api_service.auth.bearer import Bearer
from api_service.gateway import ingest
from api_service.gateway.ingest import Door
from api_service.gateway.intake import Intake
from api_service.gateway.metrics import GatewayMetrics
from api_service.gateway.outlet import Outlet
from api_service.gateway.receipt import Receipts
from api_service.gateway.topic import Topic
from api_service.limits import RateLimits
from api_service.settings import ApiSettings


class Gateway:
    """The module: its routes, and what runs behind them."""

    def __init__(
        self, settings: ApiSettings, bearer: Bearer, limits: RateLimits, receipts: Receipts, registry: CollectorRegistry
    ) -> None:
        metrics = GatewayMetrics(registry)
        self._outlet, self._topic = Outlet(settings, metrics), Topic(settings)
        intake = Intake(settings.limits(), self._outlet, metrics)
        self._door = Door(
            settings, bearer.require("write:readings"), limits, intake, self._outlet, self._topic, receipts
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Kafka is talked to in the block; it needn't be there."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._topic.opened())
            await stack.enter_async_context(self._outlet.opened())
            yield

    async def trouble(self) -> str | None:
        """Why Kafka can't be used; None: it can."""
        return self._topic.trouble() or self._outlet.trouble()

    def direct(self) -> APIRouter:
        """Routes whose endpoint needs the request only."""
        return ingest.router(self._door)
