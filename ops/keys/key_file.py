"""AUTH_SIGNING_KEY_FILE as it is written by hand and by command: PEM blocks, the one that signs first.

Before a block that a command put there stands since when it signs; what stands between blocks is nobody's else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from api_service.auth import signing
from api_service.auth.signing import PEM, SigningKey
from ops.moments import rfc3339

_SINCE = re.compile(rb"^# signs since (\S+)$", re.MULTILINE)
# The API notices a changed file within seconds; its checks of times allow half a minute.
_MARGIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of the file. `since`: when it began to sign, None: nobody noted it."""

    pem: bytes
    key: SigningKey
    since: datetime | None


def read(file: Path) -> list[Entry]:
    """The keys, the one that signs first.

    Raises:
        ConfigurationError: the API couldn't use the file either.
    """
    signing.ring(file)
    text, entries, end = file.read_bytes(), [], 0
    for block in PEM.finditer(text):
        notes = _SINCE.findall(text, end, block.start())
        entries.append(Entry(block[0], signing.load(block[0], file), _moment(notes[-1]) if notes else None))
        end = block.end()
    return entries


def render(entries: Sequence[Entry]) -> bytes:
    """The file that `read` reads."""
    parts = []
    for entry in entries:
        if entry.since:
            parts.append(f"# signs since {rfc3339(entry.since)}\n".encode())
        parts.append(entry.pem + b"\n")
    return b"".join(parts)


def make(algorithm: str, now: datetime) -> Entry:
    """A new key that signs from now on."""
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if algorithm == "RS256":
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    else:
        private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).strip()
    return Entry(pem, signing.load(pem, Path("the new key")), now)


def needed_until(entries: Sequence[Entry], changed: datetime, lifetime: timedelta) -> list[datetime | None]:
    """Until when each key may verify tokens that are alive; None: the one that signs.

    `changed`: when the file was written last, which is when a key without a note began to sign at the latest.
    `lifetime`: of the tokens.
    """
    successors = (entry.since or changed for entry in entries)
    return [None, *(stopped + lifetime + _MARGIN for stopped, _ in zip(successors, entries[1:], strict=False))]


def changed(file: Path) -> datetime:
    """When it was written last."""
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


def _moment(text: bytes) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.decode())
    except ValueError:
        return None
    return found if found.tzinfo else None
