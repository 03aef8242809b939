"""`/metrics`, `/healthz` and `/readyz` on a port of their own."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app

from shared.deployment import typed
from shared.errors import ConfigurationError
from shared.settings import ServiceSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def always_ready() -> list[str]:
    """No problems."""
    return []


@contextmanager
def serve(
    settings: ServiceSettings, registry: CollectorRegistry, problems: Callable[[], list[str]] = always_ready
) -> Iterator[None]:
    """Serves from a thread until the block ends; nothing when METRICS_PORT is 0.

    `problems` says why the process isn't ready: /readyz answers 503 with them, 200 where there are none.
    """
    if settings.metrics_port == 0:
        yield
        return
    ProcessCollector(registry=registry)  # memory, CPU, open files, and since when: restarts
    host, port = settings.metrics_host, settings.metrics_port
    try:
        server = make_server(host, port, _app(registry, problems), _Server, _SilentHandler)
    except OSError as error:
        raise ConfigurationError(f"METRICS_PORT: {host}:{port}: {error.strerror} → choose a free port") from None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class's name
        """A scrape isn't worth a line."""


def _app(registry: CollectorRegistry, problems: Callable[[], list[str]]) -> "WSGIApplication":
    metrics = make_wsgi_app(registry)

    def answer(status: str, body: object, start: "StartResponse") -> Iterable[bytes]:
        start(status, [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    def app(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return cast("Iterable[bytes]", metrics(environ, start))
        if path == "/healthz":
            return answer("200 OK", {"status": "ok"}, start)
        if path == "/readyz":
            found = list(map(typed, problems()))
            return answer(
                "503 Service Unavailable" if found else "200 OK", {"ready": not found, "problems": found}, start
            )
        return answer("404 Not Found", {"status": 404, "detail": "/metrics, /healthz or /readyz"}, start)

    return app
