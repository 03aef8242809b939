"""`/devices`: who sends what, since when, how late."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api_service.auth.bearer import Bearer
from api_service.auth.claims import Principal
from api_service.database import Database
from api_service.problems import not_found, without_parameters
from api_service.query import cursor, described, store, times
from api_service.query.parameters import Parameters
from api_service.query.snapshot import snapshot

ROUTE = "devices"
KNOWN = ("q", "limit", "cursor")


def router(database: Database, bearer: Bearer, most_rows: int) -> APIRouter:
    """The routes of devices."""
    routes = APIRouter(tags=["query"])
    reader = Depends(bearer.require("read:stats"))

    @routes.get("/devices", **described.DEVICES)
    async def devices(request: Request, who: Annotated[Principal, reader]) -> Response:
        given = request.query_params.multi_items()
        return _answer(await database.in_time(_list(database, who, given, most_rows)))

    @routes.get("/devices/{device_id:path}", **described.DEVICE)
    async def device(request: Request, device_id: str, who: Annotated[Principal, reader]) -> Response:
        without_parameters(request)
        return _answer(await database.in_time(_one(database, who, device_id)))

    return routes


async def _list(database: Database, who: Principal, given: Sequence[tuple[str, str]], most_rows: int) -> dict[str, Any]:
    pairs, after = list(given), None
    text = next((value for name, value in given if name == "cursor"), None)
    if text is not None:
        position = cursor.decode(text, ROUTE)
        pairs, after = cursor.merge(position, given, ("limit", "cursor")), position.after[0]
    parameters = Parameters(pairs, KNOWN)
    limit, part = parameters.limit(most_rows), parameters.one("q")
    parameters.finish()
    async with snapshot(database) as connection:
        found = await store.devices(connection, who.devices, limit + 1, after=after, part=part or None)
    following = None
    if len(found) > limit:
        question = tuple(pair for pair in pairs if pair[0] == "q")
        following = cursor.encode(cursor.Cursor(ROUTE, question, (), (found[limit - 1].device_id, "", 0)))
    return {"rows": [_row(device) for device in found[:limit]], "next_cursor": following}


async def _one(database: Database, who: Principal, device_id: str) -> dict[str, Any]:
    if "\0" in device_id:
        raise not_found()
    async with snapshot(database) as connection:
        found = await store.devices(connection, who.devices, 1, only=device_id)
        if not found:
            raise not_found()
        lateness = await store.lateness(connection, found[0].id)
    return {**_row(found[0]), **_timeliness(found[0], lateness)}


def _row(device: store.Device) -> dict[str, Any]:
    return {
        "device_id": device.device_id,
        "metrics": device.metrics,
        "first_seen": _text(device.first_seen),
        "last_seen": _text(device.last_seen),
    }


def _timeliness(device: store.Device, lateness: store.Lateness) -> dict[str, Any]:
    ahead = None if device.last_seen is None else (device.last_seen - lateness.as_of).total_seconds()
    return {
        "as_of": _text(lateness.as_of),
        "lateness": {
            "readings": lateness.readings + lateness.pending,
            "late": lateness.late_readings + lateness.pending,
        },
        "skew": {"seconds": ahead},
    }


def _text(time: datetime | None) -> str | None:
    return None if time is None else times.render(times.micros_of(time))


def _answer(body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")
