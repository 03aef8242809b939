"""What goes directly to its endpoint is answered as it would be through the whole app."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp

from api_service.direct import Direct, Handler
from api_service.problems import Problem
from tests.unit.api_service.serving import served


class Odd(ValueError):
    pass


async def problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def odd(_request: Request, error: Exception) -> Response:
    if str(error) == "passed on":
        raise error
    return Response(str(error), 409)


async def failure(_request: Request, _error: Exception) -> Response:
    return Response("ours", 500)


def made(*, direct: bool) -> ASGIApp:
    handlers: dict[int | type[Exception], Handler] = {Problem: problem, ValueError: odd, Exception: failure}
    app = FastAPI(exception_handlers={**handlers})

    @app.get("/thing")
    async def thing(request: Request) -> Response:
        what = request.query_params.get("what", "")
        if what == "problem":
            raise Problem(418, "no coffee")
        if what == "bug":
            raise RuntimeError
        if what:
            raise Odd(what)
        return Response(request.scope["route"].path, headers={"X-Own": "1"})

    @app.get("/other")
    async def other() -> Response:
        return Response("other")

    routes = [route for route in app.routes if getattr(route, "path", "") == "/thing"]
    return Direct(app, routes, handlers) if direct else app


@pytest.mark.parametrize("what", ["", "problem", "bug", "odd", "passed on"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_the_same_answer_either_way(method: str, what: str) -> None:
    answers = []
    for way in (True, False):
        with served(made(direct=way)) as client:
            answers.append(client.request(method, "/thing", params={"what": what}))
    assert [answers[0].status_code, answers[0].content] == [answers[1].status_code, answers[1].content]
    headers = [{name: text for name, text in answer.headers.items() if name != "date"} for answer in answers]
    assert headers[0] == headers[1]


def test_errors_of_ours_are_answered_and_passed_on_to_be_logged() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/thing", "query_string": b"what=bug", "headers": []}
    with pytest.raises(RuntimeError):
        asyncio.run(made(direct=True)(scope, receive, send))  # type: ignore[arg-type]
    assert [message.get("status", message.get("body")) for message in sent] == [500, b"ours"]


def test_other_routes_are_the_apps() -> None:
    with served(made(direct=True)) as client:
        assert client.get("/other").text == "other"
        assert client.get("/nowhere").status_code == 404
