"""`/metrics` on a port of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from shared.errors import ConfigurationError
from shared.settings import ServiceSettings


@contextmanager
def serve(settings: ServiceSettings, registry: CollectorRegistry) -> Iterator[None]:
    """Serves `registry` from a thread until the block ends; nothing when METRICS_PORT is 0."""
    if settings.metrics_port == 0:
        yield
        return
    try:
        server, thread = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        raise ConfigurationError(
            f"METRICS_PORT: {settings.metrics_host}:{settings.metrics_port}: {error.strerror} → choose a free port"
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
