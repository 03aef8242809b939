"""What a verified token's claims grant. Pure: `now` is a parameter."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEEWAY_S = 30


class Refused(Exception):
    """A token that isn't valid; `reason` is one of few words, for the metric."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `devices`: the patterns of the devices that they may see, None: all."""

    subject: str
    scopes: frozenset[str]
    devices: tuple[str, ...] | None

    def covers(self, device_id: str) -> bool:
        """Whether this device is theirs."""
        return self.devices is None or any(_matches(pattern, device_id) for pattern in self.devices)


def check(claims: Mapping[str, Any], issuer: str, audience: str, now: float) -> Principal:
    """Whom the claims name.

    Raises:
        Refused: a claim is missing, ill-typed, out of its time or meant for others.
    """
    _check_times(claims, now)
    if claims.get("iss") != issuer:
        raise Refused("issuer")
    named = claims.get("aud")
    audiences = _strings([named] if isinstance(named, str) else named)
    if audiences is None or audience not in audiences:
        raise Refused("audience")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise Refused("claims")
    scope = claims.get("scope")
    scopes = frozenset(scope.split()) if isinstance(scope, str) else frozenset[str]()
    return Principal(subject, scopes, _devices(claims))


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    if now > _time(claims, "exp") + LEEWAY_S:
        raise Refused("expired")
    for name in ("nbf", "iat"):
        if name in claims and _time(claims, name) > now + LEEWAY_S:
            raise Refused("not_yet_valid")


def _time(claims: Mapping[str, Any], name: str) -> float:
    """Python's JSON takes NaN and Infinity; an integer is finite however long."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("claims")
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused("claims")
    return value


def _devices(claims: Mapping[str, Any]) -> tuple[str, ...] | None:
    """No claim: all devices. One that isn't a list of strings grants nothing."""
    if "devices" not in claims:
        return None
    return _strings(claims["devices"]) or ()


def _matches(pattern: str, device_id: str) -> bool:
    """`*` stands for any text, of no length too; everything else for itself."""
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, device_id, re.DOTALL) is not None


def _strings(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return tuple(value)
