"""Where the next page starts: opaque text that holds the question and the last position.

It grants nothing: what it holds is judged as if the client had sent it in the open, under the client's own token.
"""

import base64
import binascii
import zlib
from collections.abc import Sequence
from typing import Annotated

import msgspec

from api_service.problems import FieldError, Problem, invalid

_MOST_BYTES = 128 * 1024
_WRONG = "it is no cursor of this route: use a next_cursor as it was given, or leave it out to start again"


class Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`question`: the parameters of the first page; `fixed`: what takes their place, its times made absolute.

    `after`: the last row's place: device, what tells apart rows of the same device and time, time in microseconds.
    """

    route: str
    question: tuple[tuple[str, str], ...]
    fixed: tuple[tuple[str, str], ...]
    after: tuple[str, str, Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]]


def encode(cursor: Cursor) -> str:
    """The cursor's text."""
    packed = zlib.compress(msgspec.msgpack.encode(cursor), 6)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(text: str, route: str) -> Cursor:
    """The cursor of a text.

    Raises:
        Problem: 422, this route didn't make it.
    """
    try:
        packed = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        inflate = zlib.decompressobj()
        data = inflate.decompress(packed, _MOST_BYTES)
        cursor = msgspec.msgpack.decode(data, type=Cursor) if inflate.eof else None
    except (ValueError, binascii.Error, zlib.error, msgspec.MsgspecError, RecursionError):
        cursor = None
    # Encoded again it must be the same: a text has one form only.
    if cursor is None or cursor.route != route or encode(cursor) != text or "\0" in "".join(cursor.after[:2]):
        raise wrong()
    return cursor


def wrong() -> Problem:
    """422: the route didn't make this cursor."""
    return invalid(FieldError("cursor", _WRONG))


def merge(cursor: Cursor, given: Sequence[tuple[str, str]], free: Sequence[str]) -> list[tuple[str, str]]:
    """The cursor's question with the parameters named in `free` as given now; others may be repeated as they were.

    Raises:
        Problem: 422, a parameter was given that isn't the cursor's.
    """
    asked = set(cursor.question)
    other = {name for name, value in given if name not in free and (name, value) not in asked}
    if other:
        raise invalid(FieldError("cursor", "it belongs to other parameters: repeat those of its first page, or none"))
    fixed = {name for name, _ in cursor.fixed}
    kept = ((name, value) for name, value in cursor.question if name not in fixed)
    return [*kept, *cursor.fixed, *((name, value) for name, value in given if name in free)]
