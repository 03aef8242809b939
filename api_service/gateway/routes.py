"""The routes of the gateway module."""

from fastapi import APIRouter
from starlette.routing import BaseRoute

from api_service.auth.bearer import Bearer
from api_service.database import Database
from api_service.gateway.receipt import Receipts
from api_service.settings import ApiSettings


def router(
    settings: ApiSettings, bearer: Bearer, receipts: Receipts, database: Database, direct: list[BaseRoute]
) -> APIRouter:
    """/ingest and /vital-data; adds to `direct` what is to be reached directly."""
    return APIRouter(tags=["gateway"])
