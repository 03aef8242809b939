"""What stands between the network and the app: uvicorn with deadlines, bounds and trusted proxies."""

import ipaddress
import resource
import time
from functools import partial
from typing import cast

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from api_service.connection import Bounds, Connection, Phase
from api_service.metrics import ConnectionMetrics
from api_service.settings import ApiSettings
from shared.errors import ConfigurationError

# What a request may still take once the process was told to stop.
_GRACE_S = 5
# For the client to read its last answer and to hang up.
_END_S = 1.0
# For the client to take anything of an answer that waits for it.
_UNREAD_S = 30.0
_TICKS = 5  # of uvicorn's, 0.1 s each, between two looks at all connections
# Files that a process has open beside its connections: libraries, Kafka's and the database's.
_FILES = 256


class Server(uvicorn.Server):
    """Looks at its connections from time to time."""

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS == 0:
            now = time.monotonic()
            for connection in tuple(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.check(now)
        return await super().on_tick(counter)


def create_server(app: ASGIApp, settings: ApiSettings, registry: CollectorRegistry) -> Server:
    """A server of this app, to be run on a socket that listens.

    Raises:
        ConfigurationError: TRUSTED_PROXIES names what is no address; too few files may be open.
    """
    _allow_files(settings.api_max_connections)
    proxies = trusted_proxies(settings.trusted_proxies)
    metrics = ConnectionMetrics(registry)
    seconds = {
        Phase.HEAD: settings.api_header_timeout_seconds,
        Phase.BODY: settings.api_body_timeout_seconds,
        Phase.ANSWER: float("inf"),
        Phase.END: _END_S,
    }
    bounds = Bounds(settings.api_max_connections, seconds, _UNREAD_S)
    config = uvicorn.Config(
        app,
        http=cast("type[Connection]", partial(Connection, bounds, metrics)),  # it is called, no more
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_keep_alive=int(settings.api_header_timeout_seconds) + 1,  # ours is shorter
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = Server(config)
    metrics.open.set_function(lambda: len(server.server_state.connections))
    return server


def trusted_proxies(text: str) -> list[str]:
    """The addresses and networks of TRUSTED_PROXIES.

    Raises:
        ConfigurationError: one that is neither; uvicorn would take it for a name, and never trust it.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        try:
            ipaddress.ip_network(name)
        except ValueError as error:
            raise ConfigurationError(
                f"TRUSTED_PROXIES: {error} → name addresses or networks: 10.0.0.7, 10.1.0.0/16, 2001:db8::/32"
            ) from None
    return names


def _allow_files(connections: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + _FILES
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise ConfigurationError(
            f"API_MAX_CONNECTIONS: {connections} connections need {needed} open files, and this process may have {hard}"
            " → allow fewer connections, or more files (ulimit -Hn)"
        )
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
