"""One request at a time to one endpoint: what was answered, or why nothing was."""

import asyncio
import io
import zlib
from collections.abc import Sequence

import aiohttp

from shared import tracing
from shared.errors import Unavailable
from simulator.http.answers import Again, Answer

PROBE_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 5.0
# Less than servers keep an idle connection: one that is just being closed must not be written to.
_KEEP_ALIVE_S = 4.0
_GZIP_LEVEL = 1
_WARNED_FROM = 1 << 20
"""aiohttp warns of larger bodies as bytes."""


def session(connections: int, timeout_s: float) -> aiohttp.ClientSession:
    """For so many requests at once, each of which is given up after `timeout_s` seconds."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections + 4, keepalive_timeout=_KEEP_ALIVE_S),
        timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S),
        headers={"User-Agent": "plumbline-simulator"},
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def post(session: aiohttp.ClientSession, base: str, token: str, body: bytes, *, gzip: bool) -> Answer | Again:
    """Sends lines of NDJSON to `base`/ingest."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    if gzip:
        headers["Content-Encoding"] = "gzip"
        body = zlib.compress(body, _GZIP_LEVEL, wbits=31)
    span = tracing.start("POST", "client", attributes={"http.request.method": "POST", "url.template": "/ingest"})
    headers |= dict(tracing.headers(span))
    data = body if len(body) < _WARNED_FROM else io.BytesIO(body)
    try:
        with tracing.inside(span):
            async with session.post(f"{base}/ingest", data=data, headers=headers, allow_redirects=False) as answer:
                if span is not None:
                    span.note({"http.response.status_code": answer.status})
                return Answer(base, answer.status, answer.headers.get("Retry-After"), await answer.read())
    except TimeoutError:
        return Again("no answer in time")
    except aiohttp.ClientError as error:
        # Without a connection nothing was sent, so nothing can have been taken.
        return Again(type(error).__name__, unknown=not isinstance(error, aiohttp.ClientConnectorError))


async def lives(session: aiohttp.ClientSession, base: str) -> bool:
    """Whether the API at `base` answers at all."""
    timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_S)
    try:
        async with session.get(f"{base}/healthz", timeout=timeout, allow_redirects=False) as answer:
            return answer.status < 500
    except (aiohttp.ClientError, TimeoutError):
        return False


def require_one(urls: Sequence[str]) -> None:
    """Returns if one of the APIs answers.

    Raises:
        Unavailable: none does.
    """

    async def asked() -> list[bool]:
        async with session(len(urls), CONNECT_TIMEOUT_S) as client:
            return await asyncio.gather(*(lives(client, url) for url in urls))

    if not any(asyncio.run(asked())):
        raise Unavailable(
            f"no API answers at {', '.join(urls)} → start it (`plumbline up`), give another address to --http, "
            "or --spool DIR to keep events until it answers"
        )
