"""Spans of OpenTelemetry, sent by its SDK. Imported only where traces are asked for (extra `otel`)."""

import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from shared import log
from shared.settings import TracingSettings
from shared.tracing import Attributes, Context, Kind, Span

_KINDS: Mapping[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_log = log.get(__name__)


class Otel:
    """A tracer. What isn't in TracingSettings the SDK reads itself: OTEL_EXPORTER_OTLP_HEADERS, OTEL_BSP_…"""

    def __init__(self, service: str, settings: TracingSettings) -> None:
        # Its own lines come with each span and each try; `_Told` says the same once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        named = settings.otel_service_name or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        resource = Resource.create({} if named else {"service.name": f"plumbline-{service}"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        # A bounded queue, and a thread that sends it: who makes a span never waits.
        self._provider.add_span_processor(BatchSpanProcessor(_Told(_exporter(settings))))
        self._tracer = self._provider.get_tracer("plumbline")

    def start(
        self,
        name: str,
        kind: Kind,
        parent: Span | Context | None,
        links: Sequence[Context],
        attributes: Attributes,
        at_ns: int | None,
    ) -> Span:
        """A span; without a parent, of a trace of its own."""
        above: trace.Span = trace.INVALID_SPAN
        if isinstance(parent, OtelSpan):
            above = parent.span
        elif isinstance(parent, Context):
            above = NonRecordingSpan(_remote(parent))
        return OtelSpan(
            self._tracer.start_span(
                name,
                trace.set_span_in_context(above),
                _KINDS[kind],
                attributes,
                [Link(_remote(each)) for each in links],
                at_ns,
                record_exception=False,
                set_status_on_exception=False,
            )
        )

    def close(self, timeout_s: float) -> None:
        """Sends what is left, for so long at most."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(timeout_s)


class OtelSpan:
    """A span that was started."""

    __slots__ = ("context", "span")

    def __init__(self, span: trace.Span) -> None:
        self.span = span
        ids = span.get_span_context()
        self.context = Context(f"{ids.trace_id:032x}", f"{ids.span_id:016x}", ids.trace_flags.sampled)

    def note(self, attributes: Attributes) -> None:
        """Adds attributes."""
        self.span.set_attributes(attributes)

    def rename(self, name: str) -> None:
        """Gives it another name."""
        self.span.update_name(name)

    def end(self, error: BaseException | str | None = None, at_ns: int | None = None) -> None:
        """Ends it. Of an error its kind is told: a message may hold what was sent to us."""
        if error is not None:
            self.span.set_attribute("error.type", error if isinstance(error, str) else type(error).__name__)
            self.span.set_status(Status(StatusCode.ERROR))
        self.span.end(at_ns)


class _Told(SpanExporter):
    """An exporter whose failures are logged once, until it sends again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._dropped = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result, error = self._exporter.export(spans), "it doesn't answer, or refuses them"
        except Exception as failure:  # noqa: BLE001  whatever it is, only traces are lost
            result, error = SpanExportResult.FAILURE, type(failure).__name__
        if result is not SpanExportResult.SUCCESS:
            if not self._dropped:
                _log.warning("traces_dropped", spans=len(spans), error=error)
            self._dropped += len(spans)
        elif self._dropped:
            _log.info("traces_sent", spans=self._dropped)
            self._dropped = 0
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _exporter(settings: TracingSettings) -> SpanExporter:
    if settings.otel_traces_exporter == "console":
        return ConsoleSpanExporter(out=sys.stderr)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _remote(context: Context) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if context.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(context.trace_id, 16), int(context.span_id, 16), is_remote=True, trace_flags=flags)
