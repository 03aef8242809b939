"""An external identity provider over HTTP: its discovery document and its JWK set, fetched with distrust."""

import asyncio
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import aiohttp
import msgspec

from shared.errors import ConfigurationError

TIMEOUT_S = 3.0
MAX_BYTES = 256 * 1024

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,;])", re.IGNORECASE)


class Unusable(Exception):
    """The provider doesn't answer, or not as it should: "what is wrong → how to fix it"."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A JWK set as it came, and how many seconds the provider says that it may be kept."""

    body: bytes
    max_age_s: float | None


class _Metadata(msgspec.Struct):
    issuer: str
    jwks_uri: str


class Provider:
    """Where its keys are: at JWT_JWKS_URL, or where the discovery document of JWT_ISSUER says."""

    def __init__(self, issuer: str, jwks_url: str) -> None:
        """Asks nobody yet.

        Raises:
            ConfigurationError: these can't be used.
        """
        self._issuer, self._jwks_url = issuer, jwks_url
        if jwks_url and not issuer:
            raise ConfigurationError("JWT_JWKS_URL: JWT_ISSUER is not set → set it to the iss of the provider's tokens")
        name, url = ("JWT_JWKS_URL", jwks_url) if jwks_url else ("JWT_ISSUER", issuer)
        if problem := _problem(url):
            alternative = "" if jwks_url else ", or name its keys with JWT_JWKS_URL"
            raise ConfigurationError(f"{name}: {problem} → give the provider's https:// address{alternative}")

    async def fetch(self) -> Fetched:
        """The JWK set as it is now, within TIMEOUT_S.

        Raises:
            Unusable: it can't be had.
        """
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        # What it sends is taken as it is: a small body that unpacks to a large one is none.
        options = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "plumbline"}
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                aiohttp.ClientSession(timeout=timeout, headers=options, auto_decompress=False) as session,
            ):
                return await self._get(session, self._jwks_url or await self._discover(session))
        except TimeoutError:
            raise Unusable(f"{self._where} doesn't answer within {TIMEOUT_S:.0f} s → see whether it is up") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unusable(f"{self._where} can't be reached ({type(error).__name__}) → see whether it is up") from None

    @property
    def _where(self) -> str:
        return "JWT_JWKS_URL" if self._jwks_url else "JWT_ISSUER's discovery or key set"

    async def _discover(self, session: aiohttp.ClientSession) -> str:
        """OpenID Connect's document; of a provider that has none, RFC 8414's."""
        parts = urlsplit(self._issuer)
        path = parts.path.rstrip("/")
        try:
            found = await self._get(session, _at(parts, f"{path}/.well-known/openid-configuration"))
        except _Absent:
            found = await self._get(session, _at(parts, f"/.well-known/oauth-authorization-server{path}"))
        try:
            metadata = msgspec.json.decode(found.body, type=_Metadata)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Unusable(
                "JWT_ISSUER: its discovery document is none → see whether it is the issuer's address, "
                "or name its keys with JWT_JWKS_URL"
            ) from None
        if metadata.issuer != self._issuer:
            raise Unusable(
                "JWT_ISSUER: its discovery document names another issuer "
                "→ set it exactly as that document does, up to the last slash"
            )
        plain_is_ours = parts.scheme == "http"
        if problem := _problem(metadata.jwks_uri, plain=plain_is_ours):
            raise Unusable(f"JWT_ISSUER: the jwks_uri of its discovery document {problem} → set JWT_JWKS_URL")
        return metadata.jwks_uri

    async def _get(self, session: aiohttp.ClientSession, url: str) -> Fetched:
        async with session.get(url, allow_redirects=False) as answer:
            if answer.status in (404, 405, 410):
                raise _Absent(f"{self._where}: it answers {answer.status} → see whether the address is right")
            if answer.status != 200:
                hint = "redirects aren't followed: set the address it leads to" if answer.status < 400 else "is it up?"
                raise Unusable(f"{self._where}: it answers {answer.status} → {hint}")
            body = bytearray()
            async for chunk in answer.content.iter_chunked(16 * 1024):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise Unusable(f"{self._where}: more than {MAX_BYTES} bytes → this is no key set")
            return Fetched(bytes(body), _max_age(answer.headers.get("Cache-Control", "")))


class _Absent(Unusable):
    """There is nothing at this address."""


def _problem(url: str, *, plain: bool = True) -> str | None:
    """Why we wouldn't fetch keys from there; `plain`: http is right where nobody is between, on loopback."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is no URL"
    if not host or any(character.isspace() or not character.isprintable() for character in url):
        return "is no URL"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "has a user, a password or a fragment"
    if parts.scheme == "https" or (parts.scheme == "http" and plain and _loopback(host)):
        return None
    return "is not https (http: on loopback only)"


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _at(parts: SplitResult, path: str) -> str:
    return f"{parts.scheme}://{parts.netloc}{path}"


def _max_age(cache_control: str) -> float | None:
    found = _MAX_AGE.search(cache_control)
    return float(found[1]) if found else None
