"""Traces: contexts as W3C writes them, and spans where OpenTelemetry is asked for.

Without it a span costs a look at a None. `shared.otel` is the other half; it alone imports OpenTelemetry.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from shared.errors import ConfigurationError
from shared.settings import TracingSettings

HEADER = "traceparent"

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int | float | bool | Sequence[str]]

_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_FLUSH_S = 2.0


@dataclass(frozen=True, slots=True)
class Context:
    """Which span of which trace: hexadecimal, as in the header. `sampled`: it is recorded where it was made."""

    trace_id: str
    span_id: str
    sampled: bool

    def header(self) -> str:
        """The value of `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-{self.sampled:02x}"


def parse(header: bytes) -> Context | None:
    """The context that a `traceparent` gives (W3C Trace Context); None: it gives none."""
    found = _TRACEPARENT.fullmatch(header)
    if found is None:
        return None
    version, trace_id, span_id, flags, further = found.groups()
    if version == b"ff" or (version == b"00" and further) or not (trace_id.strip(b"0") and span_id.strip(b"0")):
        return None
    return Context(trace_id.decode(), span_id.decode(), bool(int(flags, 16) & 1))


class Span(Protocol):
    """One that was started."""

    @property
    def context(self) -> Context: ...
    def note(self, attributes: Attributes) -> None: ...
    def rename(self, name: str) -> None: ...
    def end(self, error: BaseException | str | None = None, at_ns: int | None = None) -> None: ...


class Tracer(Protocol):
    """What makes spans."""

    def start(
        self,
        name: str,
        kind: Kind,
        parent: Span | Context | None,
        links: Sequence[Context],
        attributes: Attributes,
        at_ns: int | None,
    ) -> Span: ...
    def close(self, timeout_s: float) -> None: ...


_tracer: Tracer | None = None
_current: ContextVar[Span | None] = ContextVar("span", default=None)
_NONE: AbstractContextManager[None] = nullcontext()


def on() -> bool:
    """Whether spans are made."""
    return _tracer is not None


def current() -> Span | None:
    """The span inside which we are."""
    return _current.get()


def enter(span: Span | None) -> None:
    """From now on the task, or thread, is inside this span, until it ends."""
    _current.set(span)


def headers(span: Span | None) -> list[tuple[str, str]]:
    """What a message or request has to carry, so that what becomes of it is found from this span; mostly nothing."""
    return [(HEADER, span.context.header())] if span is not None and span.context.sampled else []


def messaging(topic: str, operation: str) -> dict[str, str | int | float | bool | Sequence[str]]:
    """The attributes of an operation on a topic (OpenTelemetry's semantic conventions)."""
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
    }


def identify() -> Mapping[str, str]:
    """Its ids, for the log."""
    span = _current.get()
    return {} if span is None else {"trace_id": span.context.trace_id, "span_id": span.context.span_id}


def start(
    name: str,
    kind: Kind = "internal",
    *,
    parent: Span | Context | None = None,
    links: Sequence[Context] = (),
    attributes: Attributes | None = None,
    at_ns: int | None = None,
) -> Span | None:
    """A span that the caller ends, of a trace of its own without a `parent`; None: traces are off."""
    if _tracer is None:
        return None
    return _tracer.start(name, kind, parent, links, attributes or {}, at_ns)


def child(
    name: str, kind: Kind = "internal", attributes: Attributes | None = None
) -> AbstractContextManager[Span | None]:
    """For the length of the block, a span inside the current one; nothing where there is none."""
    if _tracer is None or (parent := _current.get()) is None:
        return _NONE
    return inside(_tracer.start(name, kind, parent, (), attributes or {}, None))


@contextmanager
def inside(span: Span | None) -> Iterator[Span | None]:
    """The block is inside this span, which ends with it; None: inside none."""
    token = _current.set(span)
    try:
        yield span
    except BaseException as error:
        if span is not None:
            span.end(error)
        raise
    else:
        if span is not None:
            span.end()
    finally:
        _current.reset(token)


@contextmanager
def within(span: Span | None) -> Iterator[None]:
    """The block is inside this span, which goes on."""
    token = _current.set(span)
    try:
        yield
    finally:
        _current.reset(token)


class Last:
    """A child span of the end of a block: it begins with `start` and ends when the block has been left.

    For what a context manager does at its exit, such as COMMIT: stand outside it, and start as its block's last step.
    """

    def __init__(self, name: str, kind: Kind, attributes: Attributes) -> None:
        self._name, self._kind, self._attributes = name, kind, attributes
        self._span: Span | None = None

    def start(self) -> None:
        """What is to be seen begins now."""
        if _tracer is not None and (parent := _current.get()) is not None:
            self._span = _tracer.start(self._name, self._kind, parent, (), self._attributes, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._span is not None:
            self._span.end(error)


@contextmanager
def configured(service: str, settings: TracingSettings) -> Iterator[None]:
    """Spans are made in the block, if the settings ask for it; at its end what is left is sent, within two seconds.

    Raises:
        ConfigurationError: they do, and OpenTelemetry isn't installed.
    """
    global _tracer
    if not settings.traces_wanted():
        yield
        return
    try:
        from shared.otel import Otel
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"OTEL_TRACES_EXPORTER: traces are asked for, and {error.name} isn't installed "
            "→ pip install 'plumbline[otel]', or unset OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_TRACES_EXPORTER"
        ) from None
    _tracer = Otel(service, settings)
    try:
        yield
    finally:
        ended, _tracer = _tracer, None
        ended.close(_FLUSH_S)
