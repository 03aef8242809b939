"""An app behind a real server on a free port, for as long as a block lasts."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from api_service.server import create_server
from api_service.settings import ApiSettings


@contextmanager
def served(
    app: ASGIApp, settings: ApiSettings | None = None, registry: CollectorRegistry | None = None
) -> Iterator[httpx.Client]:
    """A client of the app; `settings` are the server's own: connections, deadlines, proxies."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = create_server(app, settings or ApiSettings.model_validate({}), registry or CollectorRegistry())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        # The socket listens already: the first request waits until the server takes it.
        with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listening.close()
