"""One event, by the letter of the contract: the reference for every form, and the path of whatever is unusual."""

import json
import math
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shared.events.codes import Code, Limits, Refused
from shared.events.timestamps import parse_number, parse_text

DEVICE_FIELDS = ("device_id", "device", "sensor_id", "source")
TIME_FIELDS = ("timestamp", "ts", "time")
PAYLOAD_FIELD = "data_payload"
METRIC_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,64}", re.ASCII)
MAX_DEVICE_CHARACTERS = 128

# Controls, and what turns the direction of text around: an id must look like what it is.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Event:
    """An event that can be taken: metric names sorted by code point, values in their order, extras as JSON."""

    device: str
    ts_us: int
    names: tuple[str, ...]
    values: tuple[float, ...]
    extras: bytes | None


def decode_one(value: bytes | None, limits: Limits, now_us: int) -> Event:
    """The event in these bytes.

    Raises:
        Refused: it can't be taken.
    """
    if value is None:
        raise Refused(Code.TOMBSTONE, "the record has no value")
    if len(value) > limits.max_event_bytes:
        raise Refused(Code.TOO_LARGE, f"more than {limits.max_event_bytes} bytes")
    fields = _parse(value)
    device = normalise_device(fields.pop(first_of(fields, DEVICE_FIELDS), None))
    ts_us = _timestamp(fields.pop(first_of(fields, TIME_FIELDS), None))
    if (outside := out_of_range(ts_us, limits, now_us)) is not None:
        raise outside
    payload, extras = _split(fields)
    for name in payload:
        if METRIC_NAME.fullmatch(name) is None:
            raise Refused(Code.BAD_METRIC, "a metric's name has 1 to 64 characters of A-Z a-z 0-9 _ . : / -")
    if len(payload) > limits.max_metrics:
        raise Refused(Code.TOO_MANY_METRICS, f"more than {limits.max_metrics} metrics")
    names = tuple(sorted(payload))
    return Event(device, ts_us, names, tuple(payload[name] for name in names), _extras_json(extras))


def normalise_device(device: object) -> str:
    """The id in NFC.

    Raises:
        Refused: it isn't a device id.
    """
    if not isinstance(device, str):
        raise Refused(Code.BAD_DEVICE_ID, "one of device_id, device, sensor_id, source must be there and a string")
    device = unicodedata.normalize("NFC", device)
    if not 1 <= len(device) <= MAX_DEVICE_CHARACTERS:
        raise Refused(Code.BAD_DEVICE_ID, f"a device id has 1 to {MAX_DEVICE_CHARACTERS} characters")
    if device != device.strip():
        raise Refused(Code.BAD_DEVICE_ID, "a device id has no space around it")
    if any(c in _BIDI or unicodedata.category(c) in ("Cc", "Cs") for c in device):
        raise Refused(Code.BAD_DEVICE_ID, "a device id has no control or bidi-override characters")
    return device


def out_of_range(ts_us: int, limits: Limits, now_us: int) -> Refused | None:
    """Why this time is too far from now, if it is."""
    if ts_us > now_us + limits.max_future_us:
        ahead = limits.max_future_us // 1_000_000
        return Refused(Code.TIMESTAMP_IN_FUTURE, f"more than {ahead} s ahead of the server's clock")
    if ts_us < now_us - limits.max_age_us:
        return Refused(Code.TIMESTAMP_TOO_OLD, f"older than {limits.max_age_us // 86_400_000_000} days")
    return None


class _Number:
    """A JSON number as it was written: a float would lose digits of a time."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _parse(value: bytes) -> dict[str, Any]:
    faults: set[Code] = set()

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            faults.add(Code.DUPLICATE_KEY)
        return made

    def number(text: str) -> _Number:
        if not math.isfinite(float(text)):
            faults.add(Code.NON_FINITE)
        return _Number(text)

    try:
        text = value.decode("utf-8")
        parsed = json.loads(text, object_pairs_hook=pairs, parse_float=number, parse_int=number, parse_constant=number)
        if "\\" in text:
            # Half a surrogate pair parses, but is no text.
            json.dumps(parsed, ensure_ascii=False, default=lambda n: n.text).encode("utf-8")
    except (ValueError, RecursionError):
        raise Refused(Code.MALFORMED, "the value is not one JSON document in UTF-8") from None
    if not isinstance(parsed, dict):
        raise Refused(Code.NOT_OBJECT, "an event is a JSON object")
    if Code.DUPLICATE_KEY in faults:
        raise Refused(Code.DUPLICATE_KEY, "an object has the same key twice")
    if Code.NON_FINITE in faults:
        raise Refused(Code.NON_FINITE, "a number is NaN, infinite or overflows a double")
    return parsed


def first_of(fields: Collection[str], names: tuple[str, ...]) -> str:
    """The first of these names that is there; without any, just the first."""
    return next((name for name in names if name in fields), names[0])


def _timestamp(value: object) -> int:
    if isinstance(value, str) and (micros := parse_text(value)) is not None:
        return micros
    if isinstance(value, _Number):
        return parse_number(Decimal(value.text))
    raise Refused(Code.BAD_TIMESTAMP, "timestamp, ts or time must be RFC 3339 with an offset, or epoch s or ms")


def _split(fields: dict[str, Any]) -> tuple[dict[str, float], dict[str, Any]]:
    """Metrics and extras of what is left of an event, in the nested or the flat form."""
    if PAYLOAD_FIELD not in fields:
        return _metrics(fields), {name: v for name, v in fields.items() if not isinstance(v, _Number)}
    payload = fields.pop(PAYLOAD_FIELD)
    if not isinstance(payload, dict):
        raise Refused(Code.NOT_OBJECT, "data_payload must be an object")
    inner = {name: v for name, v in payload.items() if not isinstance(v, _Number)}
    # A name in both places: both are kept.
    extras = {(f"{PAYLOAD_FIELD}.{name}" if name in fields else name): v for name, v in inner.items()}
    return _metrics(payload), extras | fields


def _metrics(fields: dict[str, Any]) -> dict[str, float]:
    return {name: float(_plain(v)) for name, v in fields.items() if isinstance(v, _Number)}


def _extras_json(extras: dict[str, Any]) -> bytes | None:
    if not extras:
        return None
    text = json.dumps(extras, ensure_ascii=False, separators=(",", ":"), default=_plain)
    if "\\u0000" in text and _has_nul(extras):
        raise Refused(Code.MALFORMED, r"a string has \u0000, which can't be stored")
    return text.encode("utf-8")


def _plain(number: Any) -> int | float:
    text: str = number.text
    return float(text) if set(text) & set(".eE") else int(text)


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(k) or _has_nul(v) for k, v in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))
