"""Keys that tokens are signed and verified with, and where verifying keys come from."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from shared.errors import ConfigurationError

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

_MAKE_KEY = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out"


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key and the only algorithm that it may be used with."""

    kid: str
    algorithm: str
    public: PublicKey


class KeySource(Protocol):
    """Where the verifier finds an issuer's public keys."""

    async def find(self, kid: str | None) -> VerifyingKey | None:
        """The key of this id, or the only key there is when a token names none; None: there is no such key."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The built-in issuer's key pair; as a KeySource it knows itself."""

    private: PrivateKey
    verifying: VerifyingKey

    async def find(self, kid: str | None) -> VerifyingKey | None:
        return self.verifying if kid in (None, self.verifying.kid) else None

    def secret(self) -> bytes:
        """What only holders of the private key know."""
        return hashlib.sha256(self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).digest()

    def jwk(self) -> dict[str, str]:
        """The public half, as a JWK (RFC 7517)."""
        public = public_members(self.verifying.public)
        return {**public, "kid": self.verifying.kid, "alg": self.verifying.algorithm, "use": "sig"}


def load_signing_key(file: Path | None) -> SigningKey:
    """Reads AUTH_SIGNING_KEY_FILE.

    Raises:
        ConfigurationError: there is no such file, or no RSA (≥ 2048 bits) or EC P-256 private key in it.
    """
    if file is None:
        raise _refused("is not set", "FILE")
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise _refused(f"{file}: {error.strerror}", str(file)) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _refused(f"{file} holds no PEM private key without a password", str(file)) from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return _signing_key(key, key.public_key(), "RS256")
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return _signing_key(key, key.public_key(), "ES256")
    raise _refused(f"{file} is neither an RSA key of at least 2048 bits nor an EC P-256 key", str(file))


def thumbprint(members: Mapping[str, str]) -> str:
    """RFC 7638: the hash of a JWK's required members, which makes a key id that names the key itself."""
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def public_members(key: PublicKey) -> dict[str, str]:
    """The required members of a public key's JWK."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "e": _base64url_int(numbers.e), "n": _base64url_int(numbers.n)}
    point = key.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": _base64url(point.x.to_bytes(32, "big")),
        "y": _base64url(point.y.to_bytes(32, "big")),
    }


def _signing_key(private: PrivateKey, public: PublicKey, algorithm: str) -> SigningKey:
    return SigningKey(private, VerifyingKey(thumbprint(public_members(public)), algorithm, public))


def _refused(problem: str, file: str) -> ConfigurationError:
    return ConfigurationError(f"AUTH_SIGNING_KEY_FILE: {problem} → make one and name it: {_MAKE_KEY} {file}")


def _base64url_int(number: int) -> str:
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
