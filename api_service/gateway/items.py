"""A body's events: their bytes, one by one. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from api_service.problems import Problem

JSON, NDJSON = "application/json", "application/x-ndjson"

# So many pieces of an array at most are cut at once: each costs memory before it is known to be too many.
_PIECES = 200_000
# So much of one that holds an item which isn't JSON is looked through: a second or so of the interpreter's time.
_TOKENS = 2_000_000
_SPACE = b" \t\r\n"
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|["\[\]{},]', re.DOTALL)

_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Items:
    """The bytes of each event; `single`: the body was one event by itself."""

    values: list[bytes]
    single: bool


def split(body: bytes, media_type: str, most: int) -> Items:
    """What the body holds.

    Raises:
        Problem: 400, an array that isn't one; 413, more than `most` events; 422, none.
    """
    if media_type == NDJSON:
        values = _lines(body, most)
    elif body.lstrip(_SPACE)[:1] == b"[":
        values = _elements(body, most)
    else:
        return Items([body], single=True)
    if not values:
        raise Problem(422, "There is no event in the body.", code="empty")
    if len(values) > most:
        raise _too_many(most)
    return Items(values, single=False)


def _lines(body: bytes, most: int) -> list[bytes]:
    if body.count(b"\n") > 2 * most:
        raise _too_many(most)
    return [line for line in body.split(b"\n") if line.strip(_SPACE)]


def _elements(body: bytes, most: int) -> list[bytes]:
    if body.count(b",") <= _PIECES:
        try:
            return [bytes(raw) for raw in _array(body)]
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass  # one element that isn't JSON fails all of them: cut the array at its commas then
    values = []
    for value in _cut(body):
        values.append(value)
        if len(values) > most:
            raise _too_many(most)
    return values if len(values) > 1 or values[0].strip(_SPACE) else []


def _cut(body: bytes) -> Iterator[bytes]:
    """What stands between the outermost brackets' commas, whatever it is.

    Raises:
        Problem: 400, brackets or quotes have no end, or something follows.
    """
    depth, start = 0, 0
    for count, token in enumerate(_TOKEN.finditer(body)):
        if count > _TOKENS:
            raise Problem(413, "The array has an item that isn't JSON, and too much beside it: send less at once.")
        kind = token[0][:1]
        if kind == b'"' and len(token[0]) == 1:
            break
        if kind in b"[{":
            depth += 1
            start = token.end() if depth == 1 else start
        elif kind == b"," and depth == 1:
            yield body[start : token.start()]
            start = token.end()
        elif kind in b"]}":
            depth -= 1
            if depth == 0:
                if kind == b"}" or body[token.end() :].strip(_SPACE):
                    break
                yield body[start : token.start()]
                return
    raise Problem(400, "The body is no JSON array: its brackets or quotes don't match.", code="malformed")


def _too_many(most: int) -> Problem:
    return Problem(413, f"There are more than {most} events in the body: send fewer at once.", code="too_many_events")
