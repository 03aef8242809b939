"""`/healthz`: the process answers. `/readyz`: so does what it needs, each of which it asks at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from fastapi import APIRouter, Response

from api_service.problems import FieldError, Problem
from shared.deployment import typed

# What keeps a dependency from serving us, with the fix; None: nothing.
Check = Callable[[], Awaitable[str | None]]

_WITHIN_S = 0.9


def router(checks: Mapping[str, Check]) -> APIRouter:
    """Both routes. `checks`: what this process can't do without, by name; without any only itself must answer."""
    routes = APIRouter(tags=["health"])
    readiness = Readiness(checks)

    @routes.get("/healthz", summary="The process is alive", responses={200: _example({"status": "ok"})})
    async def healthz() -> Response:
        return _answer({"status": "ok"})

    @routes.get(
        "/readyz",
        summary="What the process needs answers",
        responses={
            200: _example({"status": "ready", "checks": {"database": "ok", "kafka": "ok"}}),
            503: {"description": "`errors` names what doesn't answer"},
        },
    )
    async def readyz() -> Response:
        found = await readiness.found()
        errors = [FieldError(name, trouble) for name, trouble in found.items() if trouble]
        if errors:
            raise Problem(503, "Not ready.", code="unavailable", errors=errors, headers={"Retry-After": "1"})
        return _answer({"status": "ready", "checks": dict.fromkeys(found, "ok")})

    return routes


class Readiness:
    """Whoever asks while a look is under way gets what that one finds: asking often costs nobody a connection."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._look: asyncio.Task[dict[str, str | None]] | None = None

    async def found(self) -> dict[str, str | None]:
        """What troubles each dependency, within a second."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._looked())
        return await asyncio.shield(self._look)

    async def _looked(self) -> dict[str, str | None]:
        asked = {name: asyncio.ensure_future(check()) for name, check in self._checks.items()}
        if asked:
            await asyncio.wait(asked.values(), timeout=_WITHIN_S)
        found = {name: _trouble(answer) for name, answer in asked.items()}
        return {name: trouble and typed(trouble) for name, trouble in found.items()}


def _trouble(answer: asyncio.Future[str | None]) -> str | None:
    if answer.done():
        return answer.result()
    answer.cancel()
    return f"it hangs: no answer within {_WITHIN_S} s → see its log"


def _answer(body: object) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")


def _example(body: object) -> dict[str, object]:
    return {"description": "yes", "content": {"application/json": {"example": body}}}
