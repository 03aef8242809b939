"""From a token's text to whom it names."""

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from api_service.auth.algorithms import signed
from api_service.auth.claims import Grant, Principal, Refused, read
from api_service.auth.encoding import decode
from api_service.auth.keys import KeySource, VerifyingKey

MAX_TOKEN_CHARACTERS = 8192
_REMEMBERED = 4_096

# A header may not bring or point at its own key; extensions that must be understood are none that we do.
_REFUSED_HEADERS = frozenset({"jku", "x5u", "jwk", "x5c", "crit", "b64"})


@dataclass(frozen=True, slots=True)
class _Header:
    """What a token says of its signature, unverified: only to find the key."""

    kid: str | None
    algorithm: str


@dataclass(frozen=True, slots=True)
class _Verified:
    """What was found of a token whose signature is right under `key`."""

    header: _Header
    key: VerifyingKey
    grant: Grant


@dataclass(frozen=True, slots=True)
class Verifier:
    """Remembers what it has verified: that is most of the work. Whether the key still counts and the time are asked
    each time."""

    source: KeySource
    algorithms: frozenset[str]
    issuer: str
    audience: str
    _verified: OrderedDict[str, _Verified] = field(default_factory=OrderedDict, repr=False)

    async def verify(self, token: str, now: float) -> Principal:
        """Whom the token names.

        Raises:
            Refused: anything about it is wrong.
            KeysAway: no key is known that it could be verified with.
        """
        known = self._verified.get(token)
        if known is None or not self._counts(known):
            known = await self._look(token)
            self._verified[token] = known
            if len(self._verified) > _REMEMBERED:
                self._verified.popitem(last=False)
        return known.grant.at(now)

    def _counts(self, known: _Verified) -> bool:
        """Whether the issuer's keys are still such that this token means the key it was verified with."""
        keys = self.source.current()
        return keys is not None and keys.find(known.header.kid, known.header.algorithm) is known.key

    async def _look(self, token: str) -> _Verified:
        if len(token) > MAX_TOKEN_CHARACTERS or token.count(".") != 2:
            raise Refused("malformed")
        message, _, encoded_signature = token.rpartition(".")
        encoded_header, _, encoded_claims = message.partition(".")
        header = self._header(encoded_header)
        signature, claims = _bytes(encoded_signature), _bytes(encoded_claims)
        key = await self._key(header)
        if not signed(header.algorithm, key.public, message.encode("ascii"), signature):
            raise Refused("signature", kid=header.kid)
        try:
            return _Verified(header, key, read(_object(claims), self.issuer, self.audience))
        except Refused as refused:
            raise Refused(refused.reason, refused.subject, header.kid) from None

    def _header(self, encoded: str) -> _Header:
        """Refuses what needs no key to be refused: it must not cause a look for one."""
        header = _object(_bytes(encoded))
        kid, algorithm = header.get("kid"), header.get("alg")
        if not isinstance(kid, str | None) or not isinstance(algorithm, str):
            raise Refused("malformed")
        if _REFUSED_HEADERS & header.keys():
            raise Refused("header", kid=kid)
        if algorithm not in self.algorithms:
            raise Refused("algorithm", kid=kid)
        return _Header(kid, algorithm)

    async def _key(self, header: _Header) -> VerifyingKey:
        keys = self.source.current()
        if keys is None or not keys.names(header.kid):
            keys = await self.source.newer()
        key = keys.find(header.kid, header.algorithm)
        if key is None:
            # The algorithm is one of the key's own, never the token's choice.
            raise Refused("algorithm" if keys.names(header.kid) else "unknown_key", kid=header.kid)
        return key


def _bytes(segment: str) -> bytes:
    try:
        return decode(segment)
    except ValueError:
        raise Refused("malformed") from None


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refused("malformed") from None
    if not isinstance(found, dict):
        raise Refused("malformed")
    return found
