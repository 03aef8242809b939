"""Bearer tokens: given ones, and those of an OAuth 2 issuer (client credentials, RFC 6749), renewed before they end."""

import asyncio
import base64
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote_plus

import aiohttp
import msgspec

from shared.errors import ConfigurationError
from simulator.http.settings import TokenSettings

_LIFETIME_S = 300.0
"""Of a token whose issuer doesn't say."""
_AGAIN_S = 5.0
"""A token that still holds is renewed again after so long, if its issuer was away."""


class IssuerAway(Exception):
    """No token for now. `retry_after` is the header of its answer; `throttled`: it was asked too often."""

    def __init__(self, reason: str, retry_after: str | None = None, *, throttled: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.throttled = throttled


class Tokens(Protocol):
    """Where tokens come from."""

    async def get(self, base: str) -> str:
        """A token for the API at `base`.

        Raises:
            IssuerAway: there is none for now.
            ConfigurationError: there won't be any.
        """

    def renew(self, base: str, refused: str) -> bool:
        """Whether there is another token than this one, which the API has refused; `get` returns it from now on."""


def tokens(settings: TokenSettings, session: aiohttp.ClientSession, clock: Callable[[], float]) -> Tokens:
    """What the settings ask for. `clock` is monotonic, in seconds.

    Raises:
        ConfigurationError: the settings have no token and nothing to ask for one with; or both.
    """
    token, file = settings.auth_token.get_secret_value(), settings.auth_token_file
    if token and file:
        raise ConfigurationError("AUTH_TOKEN_FILE: AUTH_TOKEN is set as well → unset one of the two")
    if token:
        return Given(token)
    if file:
        return FromFile(file)
    if settings.auth_client_id and settings.auth_client_secret.get_secret_value():
        return Issued(settings, session, clock)
    raise ConfigurationError(
        "AUTH_TOKEN: --http needs a token → set AUTH_TOKEN (`plumbline token --scope write:readings`), AUTH_TOKEN_FILE,"
        " or AUTH_CLIENT_ID and AUTH_CLIENT_SECRET (the embedded stack's are in .local/stack.env)"
    )


@dataclass(frozen=True)
class Given:
    """AUTH_TOKEN: there is no other."""

    token: str

    async def get(self, base: str) -> str:  # noqa: ARG002  the protocol's
        return self.token

    def renew(self, base: str, refused: str) -> bool:  # noqa: ARG002  the protocol's
        return False


class FromFile:
    """AUTH_TOKEN_FILE: whoever writes it renews the token."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._token = self._read()

    async def get(self, base: str) -> str:  # noqa: ARG002  the protocol's
        return self._token

    def renew(self, base: str, refused: str) -> bool:  # noqa: ARG002  the protocol's
        self._token = self._read()
        return self._token != refused

    def _read(self) -> str:
        try:
            token = self._file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            token, reason = "", getattr(error, "strerror", None) or "is no token"
        else:
            reason = "is empty"
        if not token:
            raise ConfigurationError(f"AUTH_TOKEN_FILE: {self._file}: {reason} → name a file that holds a token")
        return token


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float = _LIFETIME_S


@dataclass(slots=True)
class _Held:
    token: str
    renew_at: float
    ends_at: float


class Issued:
    """AUTH_CLIENT_ID and its secret: a token an issuer, renewed when a fifth of its time is left."""

    def __init__(self, settings: TokenSettings, session: aiohttp.ClientSession, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._session = session
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, base: str) -> str:
        url = self._url(base)
        async with self._asking[url]:
            held = self._held.get(url)
            if held is not None and self._clock() < held.renew_at:
                return held.token
            try:
                held = await self._ask(url)
            except IssuerAway:
                if held is None or self._clock() >= held.ends_at:
                    raise
                held.renew_at = self._clock() + _AGAIN_S
            self._held[url] = held
            return held.token

    def renew(self, base: str, refused: str) -> bool:
        held = self._held.get(self._url(base))
        if held is not None and held.token == refused:
            del self._held[self._url(base)]
        return True

    def _url(self, base: str) -> str:
        return self._settings.auth_token_url or f"{base}/auth/token"

    async def _ask(self, url: str) -> _Held:
        secret = self._settings.auth_client_secret.get_secret_value()
        pair = f"{quote_plus(self._settings.auth_client_id)}:{quote_plus(secret)}"
        basic = f"Basic {base64.b64encode(pair.encode()).decode()}"
        grant = {"grant_type": "client_credentials", "scope": self._settings.auth_scope}
        asked_at = self._clock()
        answer, body = await _answered(lambda: self._session.post(
            url, data=grant, headers={"Authorization": basic}, allow_redirects=False
        ))  # fmt: skip
        if answer.status == 200:
            return _held(url, body, asked_at)
        if answer.status in {408, 429} or answer.status >= 500:
            after = answer.headers.get("Retry-After")
            raise IssuerAway(f"HTTP {answer.status}", after, throttled=answer.status == 429)
        if answer.status == 404:
            raise ConfigurationError(f"AUTH_TOKEN_URL: {url} issues no tokens (404) → set it to the provider's")
        raise ConfigurationError(
            f"AUTH_CLIENT_ID: {url} refuses it ({answer.status}) → check AUTH_CLIENT_ID, AUTH_CLIENT_SECRET and "
            f"AUTH_SCOPE ({self._settings.auth_scope})"
        )


async def _answered(
    post: Callable[[], "aiohttp.client._RequestContextManager"],
) -> tuple[aiohttp.ClientResponse, bytes]:
    try:
        async with post() as answer:
            return answer, await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise IssuerAway(type(error).__name__) from None


def _held(url: str, body: bytes, asked_at: float) -> _Held:
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except msgspec.MsgspecError:
        raise ConfigurationError(f"AUTH_TOKEN_URL: {url} answers with no token → set it to the provider's") from None
    return _Held(answer.access_token, asked_at + 0.8 * answer.expires_in, asked_at + answer.expires_in)
