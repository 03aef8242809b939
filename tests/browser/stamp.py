"""What a picture was taken of, kept inside the PNG: so a test can tell that it is current."""

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "docs" / "figures"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEY = b"plumbline-source\0"


def fingerprint(paths: Iterable[Path]) -> str:
    """SHA-256 of files and their names."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def page_source() -> str:
    """Of all that the analysts' page is made of."""
    folder = ROOT / "api_service" / "web" / "page"
    return fingerprint(path for path in folder.rglob("*") if path.suffix in (".html", ".css", ".js", ".svg"))


def rules_source() -> str:
    """Of Prometheus' rules."""
    return fingerprint((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))


def stamped(png: bytes, source: str) -> bytes:
    """The picture with its source as a text chunk."""
    head = len(_SIGNATURE) + 25  # the header chunk must come first
    content = b"tEXt" + _KEY + source.encode()
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:head] + chunk + png[head:]


def source_of(png: bytes) -> str | None:
    """What the picture says that it was taken of; None: it says nothing."""
    return next((content[len(_KEY) :].decode() for content in _texts(png) if content.startswith(_KEY)), None)


def _texts(png: bytes) -> Iterator[bytes]:
    at = len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        if png[at + 4 : at + 8] == b"tEXt":
            yield png[at + 8 : at + 8 + length]
        at += length + 12
