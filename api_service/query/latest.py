"""`GET /vital-data`: the latest event of each device."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import psycopg
from fastapi import APIRouter, Request, Response

from api_service.auth.bearer import Bearer
from api_service.auth.claims import Principal
from api_service.database import Database
from api_service.problems import not_found
from api_service.query import cursor, described, events
from api_service.query import latest_store as store
from api_service.query.events import Stored
from api_service.query.latest_store import Device
from api_service.query.parameters import MOST_NAMES, Pairs, Parameters
from api_service.query.records_store import names
from api_service.query.snapshot import snapshot

ROUTE = "vital-data"
KNOWN = ("device_id", "limit", "cursor")
_FREE = ("limit", "cursor")
# Devices whose latest event is to be looked for further back, as late data came, are asked about apart.
_LONG = timedelta(days=2)


def router(database: Database, bearer: Bearer, most_rows: int) -> APIRouter:
    """The route of latest events; its endpoint needs the request only."""
    routes = APIRouter(tags=["query"])
    reader = bearer.require("read:records")

    @routes.get("/vital-data", **described.LATEST)
    async def vital_data(request: Request) -> Response:
        who = await reader(request)
        given = request.query_params.multi_items()
        body = await database.in_time(_answer(database, who, given, most_rows))
        return Response(body, media_type="application/json")

    return routes


async def _answer(database: Database, who: Principal, given: Pairs, most_rows: int) -> bytes:
    pairs, after = given, None
    text = next((value for name, value in given if name == "cursor"), None)
    if text is not None:
        position = cursor.decode(text, ROUTE)
        pairs, after = cursor.merge(position, given, _FREE), position.after[0]
    parameters = Parameters(pairs, KNOWN, ("device_id",))
    device_ids, limit = parameters.devices("device_id", MOST_NAMES), parameters.limit(most_rows)
    parameters.finish()
    async with snapshot(database) as connection:
        devices = await store.devices(connection, who.devices, device_ids, after, limit + 1)
        left = [device_id for device_id in device_ids if after is None or device_id > after]
        if len(devices) < min(len(left), limit + 1):
            raise not_found()
        found, layouts = await _latest(connection, devices[:limit])

        async def extras(large: Sequence[Stored]) -> Sequence[str]:
            return await store.extras(connection, large)

        named = {device.id: device.device_id for device in devices}
        rows = await events.rendered(found, named, layouts, extras)
    following = None
    if len(rows) < len(found) or len(devices) > limit:
        last = named[found[len(rows) - 1].device] if len(rows) < len(found) else devices[limit - 1].device_id
        asked = tuple(pair for pair in pairs if pair[0] not in _FREE)
        following = cursor.encode(cursor.Cursor(ROUTE, asked, (), (last, "", 0)))
    return events.page(rows, following)


async def _latest(
    connection: psycopg.AsyncConnection, devices: Sequence[Device]
) -> tuple[list[Stored], Mapping[int, list[str]]]:
    """The latest event of each of these devices that has one, in order, and the metrics of their layouts."""
    candidates = {device.id: device.known() for device in devices}
    for part in _apart(devices):
        for row in await store.newer(connection, part):
            candidates[row.device].append(row)
    layouts = {device.layout: device.metrics for device in devices if device.layout and device.metrics}
    if missing := {row.layout for those in candidates.values() for row in those} - layouts.keys():
        layouts |= await names(connection, list(missing))
    return [_first(those, layouts) for those in candidates.values() if those], layouts


def _first(rows: Sequence[Stored], layouts: Mapping[int, list[str]]) -> Stored:
    """As in /records: the latest, and of those that are as late the first by names of metrics."""
    latest = max(row.ts for row in rows)
    return min((row for row in rows if row.ts == latest), key=lambda row: layouts[row.layout])


def _apart(devices: Sequence[Device]) -> list[list[Device]]:
    """Those that are to be asked about together."""
    newest = max((device.since for device in devices if device.since is not None), default=None)
    near: list[Device] = []
    far: list[Device] = []
    for device in devices:
        late = newest is None or device.since is None or newest - device.since > _LONG
        (far if late else near).append(device)
    return [part for part in (near, far) if part]
