"""The routes of the query module."""

from fastapi import APIRouter

from api_service.auth.bearer import Bearer
from api_service.database import Database
from api_service.query import devices, stats
from api_service.settings import ApiSettings


def router(database: Database, bearer: Bearer, settings: ApiSettings) -> APIRouter:
    """/stats and /devices."""
    routes = APIRouter()
    routes.include_router(stats.router(database, bearer, settings))
    routes.include_router(devices.router(database, bearer, settings.stats_max_rows))
    return routes
