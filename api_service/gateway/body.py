"""A request's body: its kind, and its bytes, never more of them than are allowed."""

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from api_service.apart import Turns
from api_service.gateway.items import JSON, NDJSON
from api_service.gateway.outlet import Outlet
from api_service.problems import Problem

_GZIP = 16 + zlib.MAX_WBITS


class Disconnected(Exception):
    """The client has gone before its body was there."""


def media_type(request: Request) -> str:
    """The body's media type.

    Raises:
        Problem: 415, it is none that we take, or is encoded in a way that we don't.
    """
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.replace(" ", "").lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() not in (JSON, NDJSON) or charset not in ("", "utf-8"):
        raise Problem(415, f"Send {JSON} (an event or an array of events) or {NDJSON} (one a line), in UTF-8.")
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("identity", "gzip"):
        detail = "Send the body as it is, or with Content-Encoding: gzip."
        raise Problem(415, detail, headers={"Accept-Encoding": "gzip, identity"})
    return kind.strip().lower()


@asynccontextmanager
async def held(request: Request, outlet: Outlet, turns: Turns, most: int) -> AsyncIterator[bytes]:
    """The body, decompressed; its bytes are counted as held for as long as the block lasts.

    Raises:
        Problem: 413, it has more than `most` bytes; 400, it isn't what its encoding says; 503, others hold too much.
        Disconnected: the client has gone.
    """
    size = 0

    def grow(count: int, total: int) -> None:
        nonlocal size
        if total > most:
            raise _too_large(most)
        outlet.hold(count)
        size += count

    try:
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared[:20]) > most:
            raise _too_large(most)
        received = bytearray()
        more = True
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part, more = message.get("body", b""), message.get("more_body", False)
            grow(len(part), size + len(part))
            received += part
        body = bytes(received)
        received.clear()
        if request.headers.get("content-encoding", "").strip().lower() == "gzip":
            body = await turns.compute(len(body), _inflated, body, most)
            grow(len(body), len(body))
        yield body
    finally:
        outlet.release(size)


def _inflated(data: bytes, most: int) -> bytes:
    inflate = zlib.decompressobj(_GZIP)
    try:
        body = inflate.decompress(data, most + 1)
    except zlib.error:
        body, inflate = b"", zlib.decompressobj(_GZIP)
    if len(body) > most:
        raise _too_large(most)
    if not inflate.eof or inflate.unused_data:
        raise Problem(400, "The body is not one gzip stream, as its Content-Encoding says.", code="malformed")
    return body


def _too_large(most: int) -> Problem:
    return Problem(413, f"The body has more than {most} bytes, decompressed: send less at once.", code="too_large")
