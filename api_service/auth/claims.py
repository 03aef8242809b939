"""What a verified token's claims grant. Pure: `now` is a parameter."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEEWAY_S = 30
_MAX_SUBJECT_CHARACTERS = 1_024  # it is remembered, for rates


class Refused(Exception):
    """A token that isn't valid; `reason` is one of few words, for the metric and the log.

    `subject`: whom it names, if its signature is right. `kid`: the key id that it names, as it was sent.
    """

    def __init__(self, reason: str, subject: str | None = None, kid: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.subject, self.kid = reason, subject, kid


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `devices`: the patterns of the devices that they may see, None: all."""

    subject: str
    scopes: frozenset[str]
    devices: tuple[str, ...] | None

    def covers(self, device_id: str) -> bool:
        """Whether this device is theirs."""
        return self.devices is None or any(_matches(pattern, device_id) for pattern in self.devices)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token of ours grants to whom, in epoch seconds from when and until when, leeway included."""

    principal: Principal
    valid_from: float
    valid_until: float

    def at(self, now: float) -> Principal:
        """Whom it names.

        Raises:
            Refused: this isn't its time.
        """
        if now > self.valid_until:
            raise Refused("expired", self.principal.subject)
        if now < self.valid_from:
            raise Refused("not_yet_valid", self.principal.subject)
        return self.principal


def read(claims: Mapping[str, Any], issuer: str, audience: str) -> Grant:
    """What the claims grant.

    Raises:
        Refused: a claim is missing, ill-typed or meant for others.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT_CHARACTERS:
        raise Refused("claims")
    expires = _time(claims, "exp", subject)
    begins = [_time(claims, name, subject) for name in ("nbf", "iat") if name in claims]
    if claims.get("iss") != issuer:
        raise Refused("issuer", subject)
    if audience not in _texts(claims.get("aud")):
        raise Refused("audience", subject)
    principal = Principal(subject, _scopes(claims), _devices(claims))
    return Grant(principal, max(begins, default=-math.inf) - LEEWAY_S, expires + LEEWAY_S)


def _time(claims: Mapping[str, Any], name: str, subject: str) -> float:
    """Python's JSON takes NaN and Infinity; an integer is finite however long."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("claims", subject)
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused("claims", subject)
    return value


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """`scope` (RFC 8693), or where there is none `scp`: a text with spaces between, or a list of texts in `scp`."""
    scope = claims.get("scope")
    if "scope" in claims:
        return frozenset(scope.split(" ")) - {""} if isinstance(scope, str) else frozenset()
    scp = claims.get("scp")
    return frozenset(scp.split(" ")) - {""} if isinstance(scp, str) else frozenset(_texts(scp))


def _devices(claims: Mapping[str, Any]) -> tuple[str, ...] | None:
    """No claim: all devices. One that isn't a list of texts grants nothing."""
    if "devices" not in claims:
        return None
    devices = claims["devices"]
    return _texts(devices) if isinstance(devices, list) else ()


def _matches(pattern: str, device_id: str) -> bool:
    """`*` stands for any text, of no length too; everything else for itself. Each part is looked for once only."""
    first, *others = pattern.split("*")
    if not others:
        return pattern == device_id
    *middle, last = others
    end = len(device_id) - len(last)
    if end < len(first) or not device_id.startswith(first) or not device_id.endswith(last):
        return False
    at = len(first)
    for part in middle:
        found = device_id.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _texts(value: object) -> tuple[str, ...]:
    """A text, or a list of nothing but texts; of anything else none."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return ()
    return tuple(value)
