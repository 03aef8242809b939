"""Events of any form as columns of the usual one: device, time and metrics, and the rest of their fields as extras.

An event whose fields are of the wrong types gets a device id or a time that no check lets through.
"""

import operator
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from shared.events.strict import DEVICE_FIELDS, PAYLOAD_FIELD, TIME_FIELDS, first_of

Time = str | int | Decimal
Fields = dict[str, Any]

_encode = msgspec.json.Encoder().encode
_NUMBERS = {int, float}
_NO_DEVICE = ""
_NO_TIME = ""


class Columns(NamedTuple):
    """Events by column: their place in the input, their bytes, and what these hold.

    `keys` is how many keys of an event are neither a metric's nor in its extras.
    """

    position: list[int]
    raw: Sequence[bytes]
    device: list[str]
    time: list[Time]
    payload: list[dict[str, float]]
    extras: list[bytes | None]
    keys: list[int]

    @classmethod
    def joined(cls, parts: "Sequence[Columns]") -> "Columns":
        """All of the parts' events, by position."""
        if len(parts) == 1:
            return parts[0]
        columns = [list(chain.from_iterable(column)) for column in zip(*parts, strict=True)]
        order = sorted(range(len(columns[0])), key=columns[0].__getitem__)
        return cls(*([column[i] for i in order] for column in columns))


def written_keys(objects: Sequence[Fields]) -> tuple[list[tuple[str, ...]], npt.NDArray[np.int64]]:
    """The lists of keys that there are, and which of them each of these objects (at least one) has."""
    first = tuple(objects[0])
    # Keys of one object differ: only if all have these very keys do they make up this list.
    if list(chain.from_iterable(objects)) == list(first) * len(objects):
        return [first], np.zeros(len(objects), np.int64)
    written = list(map(tuple, objects))
    numbers = {keys: number for number, keys in enumerate(dict.fromkeys(written))}
    return list(numbers), np.array(list(map(numbers.__getitem__, written)), np.int64)


def rewritten(position: Sequence[int], raw: Sequence[bytes], events: Sequence[Fields]) -> list[Columns]:
    """The objects that these bytes hold, at most one Columns; takes the objects apart."""
    if not events:
        return []
    written, which = written_keys(events)
    parts = []
    for number, keys in enumerate(written):
        rows = np.flatnonzero(which == number).tolist()
        parts.append(_alike(keys, [position[i] for i in rows], [raw[i] for i in rows], [events[i] for i in rows]))
    return [Columns.joined(parts)]


def _alike(keys: tuple[str, ...], position: list[int], raw: list[bytes], events: list[Fields]) -> Columns:
    """Events with the same keys."""
    device_key, time_key = first_of(keys, DEVICE_FIELDS), first_of(keys, TIME_FIELDS)
    device = [event.pop(device_key, _NO_DEVICE) for event in events]
    time = _times([event.pop(time_key, _NO_TIME) for event in events], raw, time_key)
    payload, outside = events, None
    if PAYLOAD_FIELD in keys:
        payload, outside = [event.pop(PAYLOAD_FIELD) for event in events], events
    if set(map(type, device)) != {str} or set(map(type, payload)) != {dict}:
        good = [type(d) is str and type(p) is dict for d, p in zip(device, payload, strict=True)]
        device = [d if ok else _NO_DEVICE for d, ok in zip(device, good, strict=True)]
        payload = [p if ok else {} for p, ok in zip(payload, good, strict=True)]
    taken = sum(key in keys for key in (device_key, time_key, PAYLOAD_FIELD))
    return Columns(position, raw, device, time, payload, _extras(payload, outside), [taken] * len(events))


def _extras(payload: list[Fields], outside: list[Fields] | None) -> list[bytes | None]:
    """As JSON, what isn't a number, which leaves the payload, and what stands beside it."""
    extras = outside
    if not set(map(type, chain.from_iterable(map(dict.values, payload)))) <= _NUMBERS:
        inside = list(map(_without_numbers, payload))
        # Of a name in both places one is lost, which its colon will show.
        extras = inside if outside is None else list(map(operator.or_, inside, outside))
    return [_encode(fields) if fields else None for fields in extras or [{}] * len(payload)]


def _without_numbers(payload: Fields) -> Fields:
    extras = {name: value for name, value in payload.items() if type(value) not in _NUMBERS}
    for name in extras:
        del payload[name]
    return extras


def _times(written: list[Any], raw: list[bytes], key: str) -> list[Time]:
    if set(map(type, written)) <= {str, int}:
        return written
    return [_time(time, value, key) for time, value in zip(written, raw, strict=True)]


def _time(time: object, raw: bytes, key: str) -> Time:
    """A double may have lost digits of a time: its text is looked up, if only one can be it."""
    if isinstance(time, float):
        found = _number_after(key).findall(raw)
        return Decimal(found[0].decode()) if len(found) == 1 else _NO_TIME
    return time if type(time) in (str, int) else _NO_TIME  # type: ignore[return-value]


@cache
def _number_after(key: str) -> re.Pattern[bytes]:
    # Without escapes a quote stands only at a string's ends, and a colon after one only behind a key.
    return re.compile(rb'"%b"\s*:\s*([-+.0-9eE]+)' % key.encode())
