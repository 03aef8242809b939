"""From a JWK set's bytes to the keys that we can use (RFC 7517, 7518, 8037). Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api_service.auth.algorithms import PublicKey, fitting
from api_service.auth.encoding import decode
from api_service.auth.keys import KeySet, VerifyingKey

_CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}
_EDWARDS: Mapping[str, Any] = {"Ed25519": ed25519.Ed25519PublicKey, "Ed448": ed448.Ed448PublicKey}
_PRIVATE_OR_SECRET = frozenset({"d", "k", "p", "q"})


class _Document(msgspec.Struct):
    keys: list[Any]


def parse(body: bytes, allowed: frozenset[str]) -> KeySet:
    """The keys of a set that may be used with the allowed algorithms; what else is in it is skipped.

    Raises:
        ValueError: this is no JWK set.
    """
    try:
        listed = msgspec.json.decode(body, type=_Document).keys
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ValueError("is no JWK set") from None
    found: dict[tuple[str | None, bytes], VerifyingKey] = {}
    for key in filter(None, (_key(each, allowed) for each in listed)):
        same = key.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        known = found.get(name := (key.kid, same))
        # One key, listed once for each of its algorithms.
        found[name] = VerifyingKey(key.kid, key.algorithms | known.algorithms, key.public) if known else key
    return KeySet(found.values())


def _key(jwk: object, allowed: frozenset[str]) -> VerifyingKey | None:
    """The key, or None where it isn't one that we use."""
    if not isinstance(jwk, dict) or not _for_signatures(jwk):
        return None
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        return None
    try:
        public = _public(jwk)
    except (ValueError, TypeError, KeyError, OverflowError, UnsupportedAlgorithm):
        return None
    algorithms = fitting(public) & allowed
    if "alg" in jwk:
        algorithms = algorithms & {jwk["alg"]} if isinstance(jwk["alg"], str) else frozenset()
    return VerifyingKey(kid, algorithms, public) if algorithms else None


def _for_signatures(jwk: Mapping[str, Any]) -> bool:
    """Whether it is a public key that is for signatures, as far as it says; one whose private half is out isn't."""
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and not _PRIVATE_OR_SECRET & jwk.keys()
    )


def _public(jwk: Mapping[str, Any]) -> PublicKey:
    match jwk["kty"]:
        case "RSA":
            return rsa.RSAPublicNumbers(_integer(jwk["e"]), _integer(jwk["n"])).public_key()
        case "EC":
            curve = _CURVES[jwk["crv"]]()
            return ec.EllipticCurvePublicNumbers(_integer(jwk["x"]), _integer(jwk["y"]), curve).public_key()
        case "OKP":
            made: PublicKey = _EDWARDS[jwk["crv"]].from_public_bytes(_bytes(jwk["x"]))
            return made
    raise ValueError("of another kind")


def _integer(member: object) -> int:
    return int.from_bytes(_bytes(member), "big")


def _bytes(member: object) -> bytes:
    """Some providers pad, which the standard has not."""
    if not isinstance(member, str):
        raise TypeError("not a text")
    return decode(member.rstrip("="))
