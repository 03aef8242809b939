"""The command line's options of sending over HTTP."""

import argparse
from pathlib import Path
from urllib.parse import urlsplit

from simulator.arguments import size, typed
from simulator.http.publisher import HttpOptions
from simulator.times import duration_us

_MOST_EVENTS = 10_000
_MOST_CONNECTIONS = 256


def add(parser: argparse.ArgumentParser) -> None:
    """Adds them as a group of their own."""
    group = parser.add_argument_group("over HTTP: to an API's POST /ingest instead of Kafka")
    group.add_argument(
        "--http", type=typed(_urls), metavar="URL[,URL…]", help="the next one when one fails, and back to the first"
    )
    group.add_argument("--http-batch", type=typed(_batch), default=500, metavar="N", help="events a request (500)")
    group.add_argument(
        "--http-connections", type=typed(_connections), default=4, metavar="N", help="requests under way at once (4)"
    )
    group.add_argument("--http-gzip", action="store_true", help="compress bodies: for slow networks")
    group.add_argument(
        "--http-timeout", type=typed(duration_us), default=duration_us("30s"), metavar="D", help="for a request (30s)"
    )
    group.add_argument(
        "--http-give-up", type=typed(duration_us), default=duration_us("60s"), metavar="D",
        help="at the end, when nothing was answered for D (60s)",
    )  # fmt: skip
    group.add_argument(
        "--spool", type=Path, metavar="DIR", help="keep there what isn't acknowledged; sent first at the next start"
    )
    group.add_argument(
        "--spool-max", type=typed(size), default=size("256MB"), metavar="SIZE",
        help="of events in it (256MB); a full one holds the run up, nothing is dropped",
    )  # fmt: skip


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Ends the process with status 2 if --http is missing."""
    names = [name for name in vars(options) if name.startswith(("http_", "spool"))]
    if options.http is None and any(getattr(options, name) != parser.get_default(name) for name in names):
        parser.error("--http-… and --spool… need --http URL")


def of(options: argparse.Namespace) -> HttpOptions:
    """What they say."""
    return HttpOptions(
        options.http,
        options.http_batch,
        options.http_connections,
        options.http_gzip,
        options.http_timeout / 1e6,
        options.http_give_up / 1e6,
        options.spool,
        options.spool_max,
    )


def _urls(text: str) -> list[str]:
    urls = [url.strip().rstrip("/") for url in text.split(",") if url.strip()]
    if not urls or not all(map(_is_base, urls)) or len(set(urls)) < len(urls):
        raise ValueError(f"{text!r} are not different addresses → http://localhost:8000,https://api.example.org")
    return urls


def _is_base(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and port != 0 and plain


def _batch(text: str) -> int:
    return _whole(text, _MOST_EVENTS)


def _connections(text: str) -> int:
    return _whole(text, _MOST_CONNECTIONS)


def _whole(text: str, most: int) -> int:
    if not text.isdecimal() or not 0 < int(text) <= most:
        raise ValueError(f"{text!r} is not a whole number from 1 to {most}")
    return int(text)
