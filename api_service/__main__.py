"""`python -m api_service`: settings → wiring → uvicorn, until SIGTERM."""

import gc
import os
import socket
from contextlib import ExitStack

from prometheus_client import CollectorRegistry

from api_service import trace_ids
from api_service.app import create_app
from api_service.server import create_server
from api_service.settings import ApiSettings
from shared import lifecycle, log, metrics_server, tracing
from shared.errors import ConfigurationError
from shared.settings import command_line, load

_log = log.get(__name__)
# Remembered rows are many objects and no cycles: looking through them for some takes time from requests.
_OBJECTS = 100_000


def main() -> int:
    """Serves until SIGTERM or SIGINT; 0 then."""
    command_line(
        ApiSettings,
        "api_service",
        "The HTTP API: tokens, statistics, devices, health. Its documentation is at /docs.",
        "DB_HOST=localhost DB_USER=plumbline_api AUTH_SIGNING_KEY_FILE=key.pem python -m api_service",
    ).parse_args()
    settings = load(ApiSettings)
    log.configure("api", settings, trace_ids.identify)
    gc.set_threshold(_OBJECTS)
    registry = CollectorRegistry()
    app = create_app(settings, registry)
    server = create_server(app, settings, registry)
    with ExitStack() as stack:
        listening = stack.enter_context(_listen(settings))
        stack.enter_context(metrics_server.serve(settings, registry))
        host, port = listening.getsockname()[:2]
        _log.info("started", host=host, port=port, modules=settings.api_modules)
        # uvicorn raises the signal that stopped it once more, for whoever had it before.
        stack.enter_context(lifecycle.stop_event())
        stack.enter_context(tracing.configured("api", settings))
        server.run(sockets=[listening])
        _log.info("stopped")
    return 0


def _listen(settings: ApiSettings) -> socket.socket:
    """The listening socket, made here: uvicorn's own would end the process without saying what to do."""
    host, port = settings.api_host, settings.api_port
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except socket.gaierror as error:
        raise ConfigurationError(f"API_HOST: {host}: {error.strerror} → give an address of this machine") from None
    except OSError as error:
        raise ConfigurationError(
            f"API_PORT: {host}:{port}: {os.strerror(error.errno or 0)} → stop what listens there, or choose another"
        ) from None


if __name__ == "__main__":
    lifecycle.run(main)
