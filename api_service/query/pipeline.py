"""`/pipeline`: how much has come in, and how far behind the clock the statistics are."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api_service.auth.bearer import Bearer
from api_service.auth.claims import Principal
from api_service.database import Database
from api_service.problems import Problem, without_parameters
from api_service.query import described_live, pipeline_store, times
from api_service.query.snapshot import snapshot
from shared.statistics.buckets import bucket_name


def router(database: Database, bearer: Bearer) -> APIRouter:
    """The route of the pipeline's figures."""
    routes = APIRouter(tags=["query"])
    reader = Depends(bearer.require("read:stats"))

    @routes.get("/pipeline", **described_live.PIPELINE)
    async def pipeline(request: Request, who: Annotated[Principal, reader]) -> Response:
        without_parameters(request)
        if who.devices is not None and "*" not in who.devices:
            raise Problem(403, "These figures are of all devices, and the token is for some.", code="forbidden_device")
        return Response(msgspec.json.encode(await database.in_time(_look(database))), media_type="application/json")

    return routes


async def _look(database: Database) -> dict[str, Any]:
    async with snapshot(database) as connection:
        row = await pipeline_store.figures(connection)
    as_of = row.pop("as_of")
    names = ("events", "persisted", "duplicates", "conflicts", "dead_letters")
    ingestion = {name: int(row[name]) for name in names}
    levels = [
        {
            "level": bucket_name(width),
            "until": _time(until),
            "behind_seconds": until and (as_of - until).total_seconds(),
        }
        for width, until in zip(row["widths"], row["untils"], strict=True)
    ]
    return {
        "as_of": _time(as_of),
        "ingestion": {**ingestion, "last_commit": _time(row["last_commit"])},
        "aggregation": {
            "levels": levels,
            "late_waiting": row["late_waiting"],
            "late_waiting_seconds": row["late_waiting_seconds"],
        },
    }


def _time(value: Any) -> str | None:
    return None if value is None else times.render(times.micros_of(value))
