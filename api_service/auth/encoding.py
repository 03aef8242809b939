"""base64url as tokens and keys have it (RFC 7515, appendix C)."""

import base64
import binascii


def encode(data: bytes) -> str:
    """The text, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of a text that `encode` makes, and of no other: what is signed has one form only.

    Raises:
        ValueError: it isn't such a text.
    """
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("not base64url") from None
    if encode(data) != text:
        raise ValueError("not the one form of its bytes")
    return data
