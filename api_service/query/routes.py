"""The routes of the query module."""

from fastapi import APIRouter
from starlette.routing import BaseRoute

from api_service.auth.bearer import Bearer
from api_service.database import Database
from api_service.query import devices, stats
from api_service.settings import ApiSettings


def router(database: Database, bearer: Bearer, settings: ApiSettings, direct: list[BaseRoute]) -> APIRouter:
    """/stats and /devices; adds to `direct` what is to be reached directly."""
    routes = APIRouter()
    statistics = stats.router(database, bearer, settings)
    direct += statistics.routes
    routes.include_router(statistics)
    routes.include_router(devices.router(database, bearer, settings.stats_max_rows))
    return routes
