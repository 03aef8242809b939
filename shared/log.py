"""Structured logs: an event's name out of `log_events`, data in fields, never a line a record."""

import logging
import sys
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, cast

import structlog
from structlog.typing import EventDict, Processor

from shared import plain_errors, tracing
from shared.settings import ServiceSettings

_FIRST = ("timestamp", "level", "service", "event")


def configure(
    service: str, settings: ServiceSettings, identify: Callable[[], Mapping[str, str]] = tracing.identify
) -> None:
    """Sends structlog's, logging's and warnings' lines to stderr, as JSON or for reading; crashes as well.

    `identify` gives the ids of what is being worked on, where there is something: trace_id, span_id.
    """
    common: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _completed(service, identify),
    ]
    structlog.configure(
        processors=[*common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    last: list[Processor] = [structlog.processors.JSONRenderer()]
    if settings.log_format == "console":
        last = [_readable, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, _foreign, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of what follows from an error that it raises
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it says what `started` and `stopped` do
    logging.captureWarnings(capture=True)
    sys.excepthook = _crashed
    threading.excepthook = lambda hooked: _crashed(hooked.exc_type, hooked.exc_value, hooked.exc_traceback)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; may be made before `configure`."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(name))


_log = get(__name__)


def _completed(service: str, identify: Callable[[], Mapping[str, str]]) -> Processor:
    def complete(_logger: object, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        event.update(identify())
        return {**{name: event.pop(name) for name in _FIRST if name in event}, **event}

    return complete


def _foreign(_logger: object, _method: str, event: EventDict) -> EventDict:
    """A library's line: its words are no name of an event."""
    error = (event.pop("exc_info", None) or (None, None, None))[1]
    if error is not None:
        event.update(error=plain_errors.reason(error), trace=plain_errors.trace(error))
    return {"message": event.pop("event"), **event, "event": "library"}


def _readable(_logger: object, _method: str, event: EventDict) -> EventDict:
    """A trace on lines of its own."""
    if "trace" in event:
        event["exception"] = event.pop("trace")
    return event


def _crashed(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> Any:
    if error is None or not issubclass(kind, Exception):
        sys.__excepthook__(kind, error or kind(), where)
    else:
        _log.error("crashed", error=plain_errors.reason(error), trace=plain_errors.trace(error))
