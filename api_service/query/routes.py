"""The routes of the query module."""

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from starlette.routing import BaseRoute

from api_service.auth.bearer import Bearer
from api_service.database import Database
from api_service.query import devices, latest, records, stats
from api_service.query.metrics import QueryMetrics
from api_service.settings import ApiSettings


def router(
    database: Database, bearer: Bearer, settings: ApiSettings, direct: list[BaseRoute], registry: CollectorRegistry
) -> APIRouter:
    """What is measured and what was sent; adds to `direct` what is to be reached directly."""
    routes = APIRouter()
    hot = [
        stats.router(database, bearer, settings, QueryMetrics(registry)),
        records.router(database, bearer, settings.stats_max_rows),
        latest.router(database, bearer, settings.stats_max_rows),
    ]
    for each in hot:
        direct += each.routes
        routes.include_router(each)
    routes.include_router(devices.router(database, bearer, settings.stats_max_rows))
    return routes
