"""A receiver of traces (OTLP over HTTP) for tests, and what it received as plain data."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.pipeline import wait_for

Ids = tuple[str, str]  # trace id, span id


@dataclass(frozen=True)
class Received:
    """A span."""

    service: str
    name: str
    kind: str
    ids: Ids
    parent: str
    links: tuple[Ids, ...]
    attributes: dict[str, Any]
    began_ns: int
    seconds: float
    failed: bool

    @property
    def trace_id(self) -> str:
        return self.ids[0]


class Receiver:
    """Spans as they came; `url` is what OTEL_EXPORTER_OTLP_ENDPOINT is to be."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: list[Received] = []

    def environment(self) -> dict[str, str]:
        """The variables of a process that sends its traces here, soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def find(self, *, name: str = "", trace_id: str = "", parent: str = "", link: str = "") -> list[Received]:
        """Spans with this name, of this trace, inside this span, with a link to this span."""
        return [
            span
            for span in tuple(self.spans)
            if name in ("", span.name)
            and trace_id in ("", span.trace_id)
            and parent in ("", span.parent)
            and (not link or link in [to for _, to in span.links])
        ]

    def one(self, **wanted: str) -> Received:
        """The one such span, once it is there."""
        wait_for(lambda: bool(self.find(**wanted)), f"a span: {wanted}", 20)
        (found,) = self.find(**wanted)
        return found


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a port of its own for the length of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
    server.RequestHandlerClass = _handler(receiver.spans.extend)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(take: Callable[[Sequence[Received]], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            assert self.headers["Content-Type"] == "application/x-protobuf"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            take(decoded(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    return Handler


def decoded(body: bytes) -> list[Received]:
    """The spans of a request's body."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        _span(_attributes(resource.resource.attributes)["service.name"], span)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _span(service: str, span: trace_pb2.Span) -> Received:
    return Received(
        service=service,
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        ids=(span.trace_id.hex(), span.span_id.hex()),
        parent=span.parent_span_id.hex(),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        attributes=_attributes(span.attributes),
        began_ns=span.start_time_unix_nano,
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    if value.HasField("array_value"):
        return [_value(each) for each in value.array_value.values]
    return getattr(value, str(value.WhichOneof("value")))
