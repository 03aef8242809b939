"""One client's connection: uvicorn's HTTP/1.1, with bounds on what comes, how long it takes, and how many there are.

A request pays next to nothing for it: times are looked at from outside, some times a second (`check`), and sizes by
comparing counters that are there anyway.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from api_service.corked import Corked
from api_service.endless import ENDLESS, Endless
from api_service.metrics import ConnectionMetrics
from api_service.problems import MEDIA_TYPE, Problem, unavailable

_HEAD_BYTES = 64 * 1024  # of a request's head; and by how much what frames a body may outweigh it
_URL_BYTES = 32 * 1024
_HEADERS = 100
_PIPELINED = 16
_VERSIONS = ("1.1", "1.0")
# Connections beyond those allowed that are told why they are closed; more are closed without a word.
_TOLD = 64


class Phase(Enum):
    """What a connection waits for."""

    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"
    END = "end"  # the client's, after an answer that is the last one


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of a process's connections: how many, and the seconds that each phase may take."""

    connections: int
    seconds: Mapping[Phase, float]
    unread_s: float  # for a client to take anything of what waits for it


class Connection(HttpToolsProtocol):
    """In place of uvicorn's own protocol: `functools.partial(Connection, bounds, metrics)`."""

    def __init__(self, bounds: Bounds, metrics: ConnectionMetrics, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._bounds, self._metrics = bounds, metrics
        self._beside = 0  # bytes of the current request that are no body
        self._incomplete: RequestResponseCycle | None = None  # whose body hadn't come with its head
        self._keep_alive = False  # what it asked for
        self._ending = False
        self._seen: tuple[Phase, object] = (Phase.ANSWER, None)
        self._since = self._taken_at = 0.0
        self._unsent = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(cast("asyncio.Transport", Corked(transport, self.loop)))
        surplus = len(self.connections) - self._bounds.connections
        if surplus > _TOLD:
            self._metrics.refused.labels("too_many").inc()
            transport.abort()
        elif surplus > 0:
            self.refuse(unavailable("All connections are taken."), "too_many")

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        self._unset_keepalive_if_required()
        self._beside += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
        except httptools.HttpParserError as error:
            self._malformed(error)
        else:
            self._look()

    def on_headers_complete(self) -> None:
        if self._beside > _HEAD_BYTES and _size(self.url, self.headers) > _HEAD_BYTES:
            raise _Refused(_too_large("head", f"{_HEAD_BYTES} bytes"), "head_too_large")
        if len(self.headers) > _HEADERS:
            raise _Refused(_too_large("head", f"{_HEADERS} headers"), "head_too_large")
        if len(self.url) > _URL_BYTES:
            raise _Refused(_too_large("URL", f"{_URL_BYTES} bytes"), "head_too_large")
        if len(self.pipeline) >= _PIPELINED:
            raise _Refused(Problem(400, "Too many requests were sent before their answers."), "malformed")
        if self.parser.get_http_version() not in _VERSIONS:
            raise _Refused(Problem(400, "Send HTTP/1.1."), "malformed")
        if self.parser.should_upgrade():
            return
        super().on_headers_complete()
        self.headers = []  # the request has its own; trailers, which come the same way, must not pass for headers

    def on_body(self, body: bytes) -> None:
        self._beside = max(0, self._beside - 2 * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        cycle = self._incomplete
        if cycle is not None and cycle is self.cycle:
            self._incomplete, cycle.transport = None, self.transport
            cycle.keep_alive = self._keep_alive and not cycle.response_started

    def shutdown(self) -> None:
        self._keep_alive = False
        super().shutdown()
        if self._endless() is not None:
            self.transport.close()

    def check(self, now: float) -> None:
        """Ends the connection if it has waited too long; to be called some times a second. `now`: monotonic seconds."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent:
            self._taken_at = now
        self._unsent = unsent
        endless = self._endless()
        overrun = endless is not None and endless.too_slow
        if overrun or (unsent and now - self._taken_at >= self._bounds.unread_s):
            self._metrics.refused.labels("answer_unread").inc()
            self.transport.abort()
        if self.transport.is_closing():
            return
        seen = self._phase(), self.cycle
        if seen[0] is not self._seen[0] or seen[1] is not self._seen[1]:
            self._seen, self._since = seen, now
        elif now - self._since >= self._bounds.seconds[seen[0]]:
            self._expire(seen[0])

    def refuse(self, problem: Problem, reason: str) -> None:
        """Answers what can't be served, if it is its turn to be answered, and ends the connection."""
        self._metrics.refused.labels(reason).inc()
        cycle = self.cycle
        waits = cycle is None or cycle.response_complete or (self._is_whole and not cycle.response_started)
        if waits and not self.pipeline:
            self.transport.write(_rendered(problem))
            self.end()
        else:
            self.transport.close()
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    def end(self) -> None:
        """Sends no more, and takes no notice of what still comes: closing at once would take the answer back (RST)."""
        self._ending = True
        self.flow.resume_reading()
        self.transport.write_eof()

    @property
    def _is_whole(self) -> bool:
        """Whether the head of the current request has come; a request was made of it."""
        return self.cycle is not None and self.cycle.scope is self.scope

    def _endless(self) -> Endless | None:
        """What there is to know of the current answer, if it has no end."""
        return None if self.cycle is None else cast("Endless | None", self.cycle.scope.get(ENDLESS))

    def _phase(self) -> Phase:
        if self._ending:
            return Phase.END
        if self.cycle is None or self.cycle.response_complete:
            return Phase.HEAD
        # Where we don't read on, the client can't be blamed.
        unread = self.cycle.more_body and not self.flow.read_paused
        return Phase.BODY if unread and self._is_whole else Phase.ANSWER

    def _expire(self, phase: Phase) -> None:
        begun = self.scope is not None and not self._is_whole
        if phase is Phase.BODY or (phase is Phase.HEAD and begun):
            seconds = self._bounds.seconds[phase]
            problem = Problem(408, f"The request's {phase.value} didn't come within {seconds:g} seconds.")
            self.refuse(problem, f"{phase.value}_timeout")
        self.transport.close()

    def _look(self) -> None:
        """At what has come so far of a request that isn't complete."""
        if not self._is_whole:
            if self._beside > _HEAD_BYTES:
                self.refuse(_too_large("head", f"{_HEAD_BYTES} bytes"), "head_too_large")
        elif not self.cycle.more_body:
            self._beside = 0
        elif self._beside > _HEAD_BYTES:
            self.refuse(Problem(400, "The body's chunks are too small, or its trailers too large."), "malformed")
        elif self._incomplete is not self.cycle:
            # Answered before its body has come, it will be the last request.
            self._incomplete, self._keep_alive = self.cycle, self.cycle.keep_alive
            self.cycle.keep_alive = False
            self.cycle.transport = _Ending(self)  # type: ignore[assignment]

    def _decline(self, rest: bytes) -> None:
        """Serves a request that offers another protocol as if it didn't: the parser would leave out its body."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.refuse(Problem(501, "This is no proxy."), "malformed")
            return
        lines = [b"%b %b HTTP/1.1" % (method, self.url)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self._beside = 0
        self.data_received(b"\r\n".join([*lines, b"", rest]))

    def _malformed(self, error: httptools.HttpParserError) -> None:
        refused = error.__context__
        if isinstance(refused, _Refused):
            self.refuse(refused.problem, refused.reason)
        else:
            self.refuse(Problem(400, "This is no HTTP/1.1 request that can be read."), "malformed")


class _Refused(Exception):
    """Leaves the parser's callbacks."""

    def __init__(self, problem: Problem, reason: str) -> None:
        super().__init__(reason)
        self.problem, self.reason = problem, reason


class _Ending:
    """The transport as it is to a request whose body is still on its way."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.transport.write(data)

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()

    def close(self) -> None:
        self._connection.end()


def _size(url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def _too_large(what: str, most: str) -> Problem:
    return Problem(431, f"The request's {what} is larger than {most}.")


def _rendered(problem: Problem) -> bytes:
    body = msgspec.json.encode(problem.body())
    headers = {
        "content-type": MEDIA_TYPE,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "connection": "close",
        **problem.headers,
    }
    head = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
    return STATUS_LINE[problem.status] + head.encode() + b"\r\n" + body
