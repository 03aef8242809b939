"""Every container behind a name: the engine's DNS answers with the addresses of those that run."""

import socket
from urllib.parse import urlsplit, urlunsplit


def each(url: str) -> list[str]:
    """The URL once for each address of its host; none where nothing of that name runs."""
    parts = urlsplit(url)
    hosts = addresses(parts.hostname or "", parts.port)
    return [urlunsplit(parts._replace(netloc=_netloc(host, parts.port))) for host in hosts]


def addresses(host: str, port: int | None = None) -> list[str]:
    """The host's addresses, in order; IPv6 ones only where it has no others."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    families = {family: {str(address[0]) for f, *_, address in found if f == family} for family, *_ in found}
    return sorted(families.get(socket.AF_INET) or families.get(socket.AF_INET6, set()))


def _netloc(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"
