"""The built-in issuer's key pairs: AUTH_SIGNING_KEY_FILE. The first signs, all of them verify."""

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from api_service.auth.keys import KeySet, VerifyingKey, public_members, thumbprint
from api_service.auth.watched import Watched
from shared.errors import ConfigurationError

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_MAKE_KEY = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out"
PEM = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair and the one algorithm that it signs with."""

    private: PrivateKey
    kid: str
    algorithm: str

    def secret(self) -> bytes:
        """What only holders of the private key know."""
        return hashlib.sha256(self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).digest()

    def jwk(self) -> dict[str, str]:
        """The public half, as a JWK (RFC 7517)."""
        public = public_members(self.private.public_key())
        return {**public, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def verifying(self) -> VerifyingKey:
        """The public half."""
        return VerifyingKey(self.kid, frozenset({self.algorithm}), self.private.public_key())


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The pairs in the order of their file, and the public halves."""

    pairs: Sequence[SigningKey]
    public: KeySet


class OwnKeys:
    """The built-in issuer's keys as they are now; a KeySource that asks nobody."""

    def __init__(self, file: Path | None) -> None:
        """Reads the file.

        Raises:
            ConfigurationError: there are no such keys in it.
        """
        if file is None:
            raise refused("is not set", "FILE")
        self._ring = Watched(file, ring)

    @property
    def pairs(self) -> Sequence[SigningKey]:
        """The key that signs, then older ones that are still accepted."""
        return self._ring.now.pairs

    def current(self) -> KeySet:
        """The public halves."""
        return self._ring.now.public

    async def newer(self) -> KeySet:
        """The same after a look at the file: another process that shares it may sign with a new key already."""
        return (await self._ring.look()).public

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Follows the file as long as the block lasts."""
        async with self._ring.opened():
            yield

    async def trouble(self) -> str | None:
        """None: they are at hand."""
        return None


def ring(file: Path) -> KeyRing:
    """The keys of a file.

    Raises:
        ConfigurationError: there is no such file, or something in it is no RSA (≥ 2048 bits) or EC P-256 key.
    """
    try:
        blocks = [match[0] for match in PEM.finditer(file.read_bytes())]
    except OSError as error:
        raise refused(f"{file}: {error.strerror}", str(file)) from None
    pairs = [load(block, file) for block in blocks]
    if not pairs:
        raise refused(f"{file} holds no PEM private key without a password", str(file))
    if len({pair.kid for pair in pairs}) < len(pairs):
        raise refused(f"{file} holds a key twice", str(file))
    return KeyRing(pairs, KeySet(pair.verifying() for pair in pairs))


def load(block: bytes, file: Path) -> SigningKey:
    """The key of one PEM block.

    Raises:
        ConfigurationError: it is none that we sign with.
    """
    try:
        key = load_pem_private_key(block, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise refused(f"{file} holds no PEM private key without a password", str(file)) from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return SigningKey(key, thumbprint(public_members(key.public_key())), "RS256")
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return SigningKey(key, thumbprint(public_members(key.public_key())), "ES256")
    raise refused(f"{file} holds a key that is neither RSA of at least 2048 bits nor EC P-256", str(file))


def refused(problem: str, file: str) -> ConfigurationError:
    """Says how to make a key."""
    return ConfigurationError(f"AUTH_SIGNING_KEY_FILE: {problem} → make one and name it: {_MAKE_KEY} {file}")
