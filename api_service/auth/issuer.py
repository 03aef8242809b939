"""The built-in issuer: what a token says, signed. `plumbline token` uses it with the same key file."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from api_service.auth.signing import OwnKeys


@dataclass(frozen=True, slots=True)
class Issuer:
    name: str
    audience: str
    keys: OwnKeys

    def issue(
        self, subject: str, scopes: Sequence[str], devices: Sequence[str] | None, now: float, ttl_s: float
    ) -> str:
        """A signed token, valid from `now` (epoch seconds); without `devices` it covers all of them."""
        claims: dict[str, Any] = {
            "iss": self.name,
            "aud": self.audience,
            "sub": subject,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + ttl_s),
            "jti": secrets.token_urlsafe(16),
            "scope": " ".join(scopes),
        }
        if devices is not None:
            claims["devices"] = list(devices)
        key = self.keys.pairs[0]
        return jwt.encode(claims, key.private, key.algorithm, headers={"kid": key.kid})
