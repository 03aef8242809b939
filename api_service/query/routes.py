"""The routes of the query module."""

from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from starlette.routing import BaseRoute

from api_service.auth.bearer import Bearer
from api_service.database import Database
from api_service.query import devices, latest, pipeline, records, stats, stream
from api_service.query.asking import Statistics
from api_service.query.hub import Hub
from api_service.query.metrics import QueryMetrics, StreamMetrics
from api_service.settings import ApiSettings


class Query:
    """What the module is made of. `opened` is open while the process serves."""

    def __init__(self, database: Database, bearer: Bearer, settings: ApiSettings, registry: CollectorRegistry) -> None:
        self._database, self._bearer, self._settings = database, bearer, settings
        self._statistics = Statistics(database, settings, QueryMetrics(registry))
        self._hub = Hub(self._statistics, settings, StreamMetrics(registry))

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Looks for what those who listen wait for."""
        return self._hub.opened()

    def router(self, direct: list[BaseRoute]) -> APIRouter:
        """What is measured and what was sent; adds to `direct` what is to be reached directly."""
        database, bearer, most = self._database, self._bearer, self._settings.stats_max_rows
        routes = APIRouter()
        hot = [
            stats.router(self._statistics, bearer, self._settings),
            records.router(database, bearer, most),
            latest.router(database, bearer, most),
        ]
        for each in hot:
            direct += each.routes
            routes.include_router(each)
        routes.include_router(stream.router(self._hub, bearer, self._settings))
        routes.include_router(pipeline.router(database, bearer))
        routes.include_router(devices.router(database, bearer, most))
        return routes
