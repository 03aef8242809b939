"""`/healthz`: the process answers. `/readyz`: so does what it needs."""

import msgspec
import psycopg
from fastapi import APIRouter, Response

from api_service.database import Database
from api_service.problems import FieldError, Problem
from shared.errors import PlumblineError


def router(database: Database | None) -> APIRouter:
    """Both routes; without a database (a process that serves `auth` alone) only the process must answer."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", summary="The process is alive", responses={200: _example({"status": "ok"})})
    async def healthz() -> Response:
        return _answer({"status": "ok"})

    @routes.get(
        "/readyz",
        summary="What the process needs answers",
        responses={
            200: _example({"status": "ready", "checks": {"database": "ok"}}),
            503: {"description": "`errors` names what doesn't answer"},
        },
    )
    async def readyz() -> Response:
        checks = {}
        if database is not None:
            trouble = await _trouble(database)
            if trouble:
                errors = [FieldError("database", trouble)]
                raise Problem(503, "Not ready.", code="unavailable", errors=errors, headers={"Retry-After": "1"})
            checks["database"] = "ok"
        return _answer({"status": "ready", "checks": checks})

    return routes


async def _trouble(database: Database) -> str | None:
    """What keeps the database from serving us, with the fix; None: nothing."""
    try:
        async with database.connection() as connection:
            await connection.execute("SELECT FROM materialized LIMIT 1")
    except psycopg.errors.UndefinedTable:
        return "it has no schema → run python -m shared.migrations"
    except psycopg.errors.InsufficientPrivilege:
        return "our role may not read it → run python -m shared.migrations, and set DB_USER to plumbline_api"
    except (psycopg.Error, PlumblineError):
        return "it doesn't answer → start it (`plumbline up`), or set DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME"
    return None


def _answer(body: object) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")


def _example(body: object) -> dict[str, object]:
    return {"description": "yes", "content": {"application/json": {"example": body}}}
