"""`POST /ingest` and `POST /vital-data`: 202 once Kafka has every event that could be taken."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from fastapi import APIRouter, Request, Response

from api_service.apart import Turns
from api_service.auth.claims import Principal
from api_service.gateway import described, items
from api_service.gateway.body import Body, Disconnected, media_type
from api_service.gateway.intake import FORBIDDEN_DEVICE, Intake, Rejected
from api_service.gateway.outlet import Outlet
from api_service.gateway.receipt import Accepted, Receipts
from api_service.gateway.topic import Topic
from api_service.limits import RateLimits, client_host
from api_service.problems import Problem
from api_service.settings import ApiSettings
from shared.events import Code

_encode = msgspec.json.Encoder().encode


class Door:
    """What the two routes do."""

    def __init__(
        self,
        settings: ApiSettings,
        writer: Callable[[Request], Awaitable[Principal]],
        limits: RateLimits,
        intake: Intake,
        outlet: Outlet,
        topic: Topic,
        receipts: Receipts,
    ) -> None:
        self._settings, self._writer, self._limits = settings, writer, limits
        self._intake, self._outlet, self._topic, self._receipts = intake, outlet, topic, receipts
        self._turns = Turns()

    async def ingest(self, request: Request) -> Response:
        """The endpoint."""
        who = await self._writer(request)
        headers = request.headers
        kind = media_type(headers.get("content-type", ""), headers.get("content-encoding", ""))
        try:
            with Body(self._outlet, self._turns, self._settings.max_body_bytes) as held:
                body = await held.read(request)
                found = await self._turns.compute(
                    len(body), items.split, body, kind, self._settings.max_events_per_request
                )
                self._limits.batch(client_host(request), who.subject, len(found.values))
                topic_id = self._topic.require()
                self._outlet.admit(len(found.values), self._intake.waiting, self._topic.trouble() is not None)
                taken = await self._intake.take(found.values, who)
        except Disconnected:
            return Response(status_code=400)  # nobody reads it
        if not taken.index:
            raise _single(taken.rejected[0]) if found.single else _none(taken.rejected)
        receipt = self._receipts.make(who.subject, Accepted(topic_id, taken.index, taken.partition, taken.offset))
        answer = {"accepted": len(taken.index), "rejected": _rendered(taken.rejected), "receipt": receipt}
        return Response(_encode(answer), 202, media_type="application/json")


def router(door: Door) -> APIRouter:
    """Both routes; their endpoint needs the request only."""
    routes = APIRouter(tags=["gateway"])
    routes.add_api_route("/ingest", door.ingest, methods=["POST"], **described.INGEST)
    routes.add_api_route("/vital-data", door.ingest, methods=["POST"], **described.INGEST_VITAL_DATA)
    return routes


def _single(rejected: Rejected) -> Problem:
    """The body was one event: what is wrong with it is what is wrong with the request."""
    status = {Code.MALFORMED: 400, FORBIDDEN_DEVICE: 403}.get(rejected.code, 422)
    return Problem(status, f"The event can't be taken: {rejected.detail}.", code=rejected.code)


def _none(rejected: Sequence[Rejected]) -> Problem:
    members = {"rejected": _rendered(rejected)}
    return Problem(422, "None of the events can be taken; `rejected` says why.", code="all_rejected", members=members)


def _rendered(rejected: Sequence[Rejected]) -> list[dict[str, int | str]]:
    return [{"index": each.index, "code": each.code, "detail": each.detail} for each in rejected]
