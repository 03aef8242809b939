"""What can be told of a dead letter's bytes, and how they are mended. Pure."""

import json
import re
import unicodedata
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, NoReturn

from ops.moments import at, rfc3339
from shared.errors import PlumblineError
from shared.events.strict import DEVICE_FIELDS, TIME_FIELDS
from shared.events.timestamps import parse_number, parse_text

_TEXT_FIELD = re.compile(r'"(%s)"\s*:\s*"((?:[^"\\]|\\.)*)"' % "|".join(DEVICE_FIELDS))  # noqa: UP031 has braces


class CannotFix(Exception):
    """These bytes can't be mended; says why."""


@dataclass(frozen=True, slots=True)
class Fix:
    """What a replay changes of a record; nothing by default. `device` is in NFC."""

    shift: timedelta | None = None
    device: str | None = None

    def __str__(self) -> str:
        parts = []
        if self.shift is not None:
            parts.append(f"timestamp {self.shift.total_seconds():+g}s")
        if self.device is not None:
            parts.append(f"device {self.device}")
        return ", ".join(parts)


def device(key: bytes | None, value: bytes | None) -> str | None:
    """Whose record it is, in NFC: its key, else what its bytes say, be they broken or cut; None if that is nothing."""
    if key:
        return unicodedata.normalize("NFC", key.decode("utf-8", "replace"))
    text = (value or b"").decode("utf-8", "replace")
    try:
        parsed = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        found = {match[1]: _unescaped(match[2]) for match in reversed(list(_TEXT_FIELD.finditer(text)))}
    else:
        found = parsed if isinstance(parsed, dict) else {}
    named = next((found[name] for name in DEVICE_FIELDS if name in found), None)
    return unicodedata.normalize("NFC", str(named)) if isinstance(named, str | int) else None


def mended(key: bytes | None, value: bytes | None, fix: Fix) -> tuple[bytes | None, bytes | None]:
    """Key and value after the fix; the key follows the device.

    Raises:
        CannotFix: the value isn't an event that can be rewritten.
    """
    if fix.shift is None and fix.device is None:
        return key, value
    fields = _parsed(value)
    if fix.shift is not None:
        name = next((name for name in TIME_FIELDS if name in fields), TIME_FIELDS[0])
        fields[name] = _shifted(fields.get(name), fix.shift)
    if fix.device is not None:
        fields[next((name for name in DEVICE_FIELDS if name in fields), DEVICE_FIELDS[0])] = fix.device
        key = fix.device.encode()
    try:
        return key, json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:
        raise CannotFix("it holds half a surrogate pair or a number that overflows a double") from None


def _parsed(value: bytes | None) -> dict[str, Any]:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            raise CannotFix("an object has the same key twice")
        return made

    def constant(text: str) -> NoReturn:
        raise CannotFix(f"{text} is no JSON")

    try:
        parsed = json.loads((value or b"").decode(), object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError):
        raise CannotFix("the value is not one JSON document in UTF-8") from None
    if not isinstance(parsed, dict):
        raise CannotFix("the value is not a JSON object")
    return parsed


def _shifted(time: Any, shift: timedelta) -> str:
    """The time, moved; as RFC 3339 whatever it was."""
    if isinstance(time, str):
        micros = parse_text(time)
    elif isinstance(time, int | float) and not isinstance(time, bool) and abs(time) < 10**15:
        micros = parse_number(Decimal(str(time)))
    else:
        micros = None
    if micros is None:
        raise CannotFix("its timestamp is missing or can't be read")
    try:
        return rfc3339(at(micros + shift // timedelta(microseconds=1)))
    except PlumblineError as error:
        raise CannotFix(str(error)) from None


def printable(text: str) -> str:
    """Text that leaves a terminal as it is: what controls it, or turns its direction, is shown as an escape."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def readable(value: bytes | None) -> str | None:
    """Bytes as text where they are UTF-8, else as base64 with a mark."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"base64:{b64encode(value).decode()}"


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def state(row: Mapping[str, Any]) -> str:
    """open, replayed or discarded; of an open one that its topic doesn't have yet, unpublished."""
    if row["discarded_at"] is not None:
        return "discarded"
    if row["replayed_at"] is not None:
        return "replayed"
    return "open" if row["published_at"] is not None else "unpublished"
