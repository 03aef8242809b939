"""An API that misbehaves on plan: a real HTTP server that takes events as the gateway does, where its plan lets it."""

import asyncio
import json
import socket
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from shared.events import Decoder, Limits

HANG_S = 60.0


@dataclass(frozen=True)
class Seen:
    """A request to /ingest; `number` counts them from 0, `at` is a monotonic time."""

    number: int
    at: float
    token: str
    events: int
    headers: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class Does:
    """What the server does about a request. Without anything set: what the gateway does."""

    status: int = 202
    headers: dict[str, str] = field(default_factory=dict)
    takes: bool = True
    """Whether it takes the events; of importance where it answers something else than 202."""
    resets: bool = False
    hangs: bool = False
    half: bool = False
    """Breaks off in the middle of the answer."""


GOOD = Does()
Plan = Callable[[Seen], Does]


def resets(*, takes: bool) -> Does:
    """Cuts the connection, with the events or without."""
    return Does(takes=takes, resets=True)


def refuses(status: int, **headers: str) -> Does:
    """Takes nothing; `Retry_After` is the header."""
    return Does(status, {name.replace("_", "-"): value for name, value in headers.items()}, takes=False)


@dataclass
class Unruly:
    """The server while it runs. `plan` may be changed meanwhile."""

    url: str
    plan: Plan
    lives: bool = True
    """What /healthz says."""
    token_ttl_s: float = 3600.0
    seen: list[Seen] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    """Events in the order in which they were taken, again and again where they came so."""
    issued: list[str] = field(default_factory=list)
    busy_issuer: int = 0
    """How many times more it asks for patience instead of issuing a token."""
    _ends: dict[str, float] = field(default_factory=dict)
    _decoder: Decoder = field(default_factory=lambda: Decoder(Limits()))

    def counted(self) -> Counter[bytes]:
        """How often each event was taken."""
        return Counter(self.taken)

    async def health(self, _request: web.Request) -> web.Response:
        return web.Response(status=200 if self.lives else 503)

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if request.headers["Authorization"] != "Basic bWU6c2VjcmV0" or form["grant_type"] != "client_credentials":
            return web.json_response({"error": "invalid_client"}, status=401)
        if self.busy_issuer:
            self.busy_issuer -= 1
            return web.json_response({}, status=503, headers={"Retry-After": "0"})
        token = f"token-{len(self.issued)}"
        self.issued.append(token)
        self._ends[token] = time.monotonic() + self.token_ttl_s
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": self.token_ttl_s})

    async def ingest(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.headers.get("X-Compressed") == "gzip":
            body = zlib.decompress(body, wbits=31)
        lines = body.split(b"\n")
        token = request.headers["Authorization"].removeprefix("Bearer ")
        seen = Seen(len(self.seen), time.monotonic(), token, len(lines), dict(request.headers))
        self.seen.append(seen)
        if token in self._ends and time.monotonic() > self._ends[token]:
            return web.json_response({"status": 401}, status=401)
        does = self.plan(seen)
        if does.hangs:
            await asyncio.sleep(HANG_S)
        document = self._take(lines) if does.takes else {"status": does.status}
        if does.resets:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()  # that nobody gets
        if does.half:
            return await _half(request, json.dumps(document).encode())
        status = 422 if does.status == 202 and not document["accepted"] else does.status
        return web.json_response(document, status=status, headers=does.headers)

    def _take(self, lines: list[bytes]) -> dict[str, object]:
        rejects = self._decoder.decode(lines, time.time_ns() // 1000).rejects
        bad = {reject.position for reject in rejects}
        self.taken += [line for at, line in enumerate(lines) if at not in bad]
        rejected = [{"index": r.position, "code": r.code, "detail": r.detail} for r in rejects]
        return {"accepted": len(lines) - len(bad), "rejected": rejected, "receipt": "r"}


async def _half(request: web.Request, body: bytes) -> web.StreamResponse:
    answer = web.StreamResponse(status=202, headers={"Content-Length": str(len(body))})
    await answer.prepare(request)
    await answer.write(body[: len(body) // 2])
    assert request.transport is not None
    request.transport.abort()
    return answer


@contextmanager
def unruly(plan: Plan = lambda _seen: GOOD) -> Iterator[Unruly]:
    """Serves from a thread for the length of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Unruly(f"http://127.0.0.1:{listening.getsockname()[1]}", plan)
        loop = asyncio.new_event_loop()
        runner = loop.run_until_complete(_started(server, listening))
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


async def _started(server: Unruly, listening: socket.socket) -> web.AppRunner:
    app = web.Application(client_max_size=1 << 30)
    app.add_routes([
        web.get("/healthz", server.health), web.post("/auth/token", server.token), web.post("/ingest", server.ingest)
    ])  # fmt: skip
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner
