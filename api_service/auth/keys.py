"""Keys that tokens are verified with, and where they come from."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api_service.auth.algorithms import PublicKey
from api_service.auth.encoding import encode


class KeysAway(Exception):
    """No keys are known, or only ones that are too old to be believed; `retry_after_s`: when to try again."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key, and the algorithms that it may be used with."""

    kid: str | None
    algorithms: frozenset[str]
    public: PublicKey


class KeySet:
    """The keys of an issuer at one time."""

    def __init__(self, keys: Iterable[VerifyingKey]) -> None:
        self.keys = tuple(keys)
        self._ids = {key.kid for key in self.keys} | {None}
        self._found: dict[tuple[str | None, str], VerifyingKey] = {}
        ambiguous = set()
        for key in self.keys:
            for algorithm in key.algorithms:
                for name in {(key.kid, algorithm), (None, algorithm)}:
                    if self._found.setdefault(name, key) is not key:
                        ambiguous.add(name)
        for name in ambiguous:
            del self._found[name]

    def find(self, kid: str | None, algorithm: str) -> VerifyingKey | None:
        """The key that this can only mean: of this id, or the only one that fits a token which names none."""
        return self._found.get((kid, algorithm))

    def names(self, kid: str | None) -> bool:
        """Whether there is a key of this id, for whatever algorithm; a token without an id names what there is."""
        return kid in self._ids


class KeySource(Protocol):
    """Where the verifier finds an issuer's public keys."""

    def current(self) -> KeySet | None:
        """What is known; the same object until something changes. Never waits. None: nothing, or too old."""

    async def newer(self) -> KeySet:
        """The keys after a look for newer ones, if one is due.

        Raises:
            KeysAway: there are none.
        """

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Keeps the keys up to date as long as the block lasts."""

    async def trouble(self) -> str | None:
        """Why no token can be verified, with the fix; None: one can."""


def thumbprint(members: Mapping[str, str]) -> str:
    """RFC 7638: the hash of a JWK's required members, which makes a key id that names the key itself."""
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return encode(hashlib.sha256(canonical.encode()).digest())


def public_members(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The required members of the JWK of an RSA or P-256 key."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "e": _base64url_int(numbers.e), "n": _base64url_int(numbers.n)}
    point = key.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": encode(point.x.to_bytes(32, "big")),
        "y": encode(point.y.to_bytes(32, "big")),
    }


def _base64url_int(number: int) -> str:
    return encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
