"""From a token's text to whom it names."""

import base64
import binascii
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import jwt

from api_service.auth.claims import Principal, Refused, check
from api_service.auth.keys import KeySource, VerifyingKey

MAX_TOKEN_CHARACTERS = 8192
_REMEMBERED = 1_024

# A header may not bring or point at its own key; extensions that must be understood are none that we do.
_REFUSED_HEADERS = frozenset({"jku", "x5u", "jwk", "x5c", "crit", "b64"})


@dataclass(frozen=True, slots=True)
class _Signed:
    """What was found of a token whose signature is right under `key`."""

    kid: str | None
    key: VerifyingKey
    claims: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verifier:
    """Remembers the signatures it has verified: that is most of the work. Key and claims are checked each time."""

    keys: KeySource
    issuer: str
    audience: str
    _signed: OrderedDict[str, _Signed] = field(default_factory=OrderedDict, repr=False)

    async def verify(self, token: str, now: float) -> Principal:
        """Whom the token names.

        Raises:
            Refused: anything about it is wrong.
        """
        known = self._signed.get(token)
        if known is None or await self.keys.find(known.kid) is not known.key:
            known = await self._verified(token)
            self._signed[token] = known
            if len(self._signed) > _REMEMBERED:
                self._signed.popitem(last=False)
        return check(known.claims, self.issuer, self.audience, now)

    async def _verified(self, token: str) -> _Signed:
        header = _header(token)
        kid = header.get("kid")
        if kid is not None and not isinstance(kid, str):
            raise Refused("malformed")
        key = await self.keys.find(kid)
        if key is None:
            raise Refused("unknown_key")
        # The algorithm is the key's, never the token's choice.
        if header.get("alg") != key.algorithm:
            raise Refused("algorithm")
        try:
            claims = jwt.decode(token, key.public, [key.algorithm], options=_SIGNATURE_ONLY)
        except jwt.InvalidSignatureError:
            raise Refused("signature") from None
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise Refused("malformed") from None
        return _Signed(kid, key, claims)


# claims.check does the rest: PyJWT takes "123" for a time.
_SIGNATURE_ONLY: Any = {
    "verify_signature": True,
    **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss"), False),
    **dict.fromkeys(("verify_sub", "verify_jti"), False),
}


def _header(token: str) -> dict[str, Any]:
    """The JOSE header, unverified: only to find the key."""
    encoded, dot, _ = token.partition(".")
    if not dot or len(token) > MAX_TOKEN_CHARACTERS:
        raise Refused("malformed")
    try:
        padded = encoded.encode("ascii") + b"=" * (-len(encoded) % 4)
        header = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise Refused("malformed") from None
    if not isinstance(header, dict):
        raise Refused("malformed")
    if _REFUSED_HEADERS & header.keys():
        raise Refused("header")
    return header
