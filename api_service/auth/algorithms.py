"""Which signature algorithms there are, and which of them a public key may be used with."""

from collections.abc import Mapping

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES: Mapping[str, str] = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
KNOWN = _RSA | frozenset(_CURVES.values()) | {"EdDSA"}

_MIN_RSA_BITS, _MAX_RSA_BITS = 2048, 16_384
_MAX_EXPONENT_BITS = 64

_IMPLEMENTED = {name: made for name, made in jwt.algorithms.get_default_algorithms().items() if name in KNOWN}


def chosen(text: str) -> frozenset[str]:
    """The algorithms of a list like "RS256,ES256".

    Raises:
        ValueError: there is none, or one that isn't known; nothing symmetric is, nor `none`.
    """
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise ValueError("names no algorithm")
    if unknown := sorted(names - KNOWN):
        raise ValueError(f"can't be {', '.join(unknown)}")
    return names


def fitting(key: PublicKey) -> frozenset[str]:
    """What a key of this kind, curve and size may be used with; empty: nothing."""
    if isinstance(key, rsa.RSAPublicKey):
        large = _MIN_RSA_BITS <= key.key_size <= _MAX_RSA_BITS
        return _RSA if large and key.public_numbers().e.bit_length() <= _MAX_EXPONENT_BITS else frozenset()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return frozenset({_CURVES[key.curve.name]}) if key.curve.name in _CURVES else frozenset()
    return frozenset({"EdDSA"})


def signed(algorithm: str, key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether the signature of the message is this key's."""
    return bool(_IMPLEMENTED[algorithm].verify(message, key, signature))
