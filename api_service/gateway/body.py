"""A request's body: its kind, and its bytes, never more of them than are allowed."""

import zlib
from functools import lru_cache
from typing import Self

from fastapi import Request

from api_service.apart import Turns
from api_service.gateway.items import JSON, NDJSON
from api_service.gateway.outlet import Outlet
from api_service.problems import Problem

_GZIP = 16 + zlib.MAX_WBITS


class Disconnected(Exception):
    """The client has gone before its body was there."""


@lru_cache(maxsize=256)
def media_type(content_type: str, content_encoding: str) -> str:
    """The media type that a body with these headers has.

    Raises:
        Problem: 415, it is none that we take, or is encoded in a way that we don't.
    """
    kind, _, parameters = content_type.partition(";")
    charset = parameters.replace(" ", "").lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() not in (JSON, NDJSON) or charset not in ("", "utf-8"):
        raise Problem(415, f"Send {JSON} (an event or an array of events) or {NDJSON} (one a line), in UTF-8.")
    if content_encoding.strip().lower() not in ("", "identity", "gzip"):
        detail = "Send the body as it is, or with Content-Encoding: gzip."
        raise Problem(415, detail, headers={"Accept-Encoding": "gzip, identity"})
    return kind.strip().lower()


class Body:
    """A request's body. Its bytes count as held from when they come until the block ends."""

    def __init__(self, outlet: Outlet, turns: Turns, most: int) -> None:
        self._outlet, self._turns, self._most = outlet, turns, most
        self._held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._outlet.release(self._held)

    async def read(self, request: Request) -> bytes:
        """All of it, decompressed.

        Raises:
            Problem: 413, it has too many bytes; 400, it isn't what its encoding says; 503, others hold too much.
            Disconnected: the client has gone.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared[:20]) > self._most:
            raise self._too_large()
        parts: list[bytes] = []
        more = True
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part, more = message.get("body", b""), message.get("more_body", False)
            self._hold(len(part), self._held + len(part))
            parts.append(part)
        body = parts.pop() if len(parts) == 1 else b"".join(parts)
        parts.clear()
        if request.headers.get("content-encoding", "").strip().lower() == "gzip":
            body = await self._turns.compute(len(body), self._inflated, body)
            self._hold(len(body), len(body))
        return body

    def _hold(self, count: int, total: int) -> None:
        if total > self._most:
            raise self._too_large()
        self._outlet.hold(count)
        self._held += count

    def _inflated(self, data: bytes) -> bytes:
        inflate = zlib.decompressobj(_GZIP)
        try:
            body = inflate.decompress(data, self._most + 1)
        except zlib.error:
            body, inflate = b"", zlib.decompressobj(_GZIP)
        if len(body) > self._most:
            raise self._too_large()
        if not inflate.eof or inflate.unused_data:
            raise Problem(400, "The body is not one gzip stream, as its Content-Encoding says.", code="malformed")
        return body

    def _too_large(self) -> Problem:
        detail = f"The body has more than {self._most} bytes, decompressed: send less at once."
        return Problem(413, detail, code="too_large")
