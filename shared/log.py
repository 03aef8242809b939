"""Structured logs: a constant event name, data in fields, never a line a record."""

import logging
import sys
from typing import cast

import structlog

from shared.settings import ServiceSettings


def configure(service: str, settings: ServiceSettings) -> None:
    """Sends structlog's and logging's lines to stderr, as JSON or for reading."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _service(service),
    ]
    last: list[structlog.typing.Processor]
    # Tracebacks as plain text: structlog's own show local variables, and those hold tokens and passwords.
    if settings.log_format == "json":
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        plain = structlog.dev.plain_traceback
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of what follows from an error that it raises


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; may be made before `configure`."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(name))


def _service(name: str) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = name
        return event

    return add
