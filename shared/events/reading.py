"""Bytes → events by column, with msgspec: the usual form as it is, every other by `rewriting`."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar, cast

import msgspec

from shared.events.rewriting import Columns, rewritten

_T = TypeVar("_T")
_SAMPLE = 16


class _Usual(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    device_id: str
    timestamp: str | int
    data_payload: dict[str, float]


# A longer integer might overflow a double. Deeper extras are refused.
_Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Scalar = str | _Integer | float | bool | None
_Shallow = _Scalar | list[_Scalar] | dict[str, _Scalar]
_Deep = _Scalar | list[_Shallow] | dict[str, _Shallow]
_Value = _Scalar | list[_Deep] | dict[str, _Deep]

_decode_usual = msgspec.json.Decoder(_Usual).decode
_decode_any = msgspec.json.Decoder(dict[str, _Value]).decode


def read(values: Sequence[bytes | None], alone: set[int]) -> list[Columns]:
    """The events that aren't in `alone`, those of the usual form apart; adds to `alone` what msgspec refuses.

    To put the two in one order would cost each event as much again as reading it.
    """
    position = [i for i in range(len(values)) if i not in alone] if alone else list(range(len(values)))
    raw = cast("Sequence[bytes]", [values[i] for i in position] if alone else values)
    parts: list[Columns] = []
    if _mostly_usual(raw):
        events, refused = _attempted(_decode_usual, raw)
        parts += _usual(*_without(refused, position, raw), events)
        position, raw = [position[i] for i in refused], [raw[i] for i in refused]
    fields, refused = _attempted(_decode_any, raw)
    alone.update(position[i] for i in refused)
    return parts + rewritten(*_without(refused, position, raw), fields)


def _mostly_usual(values: Sequence[bytes]) -> bool:
    """Whether to try the usual form first, by a sample: an event that has another costs an exception."""
    sample = values[:: len(values) // _SAMPLE + 1]
    return 4 * len(_attempted(_decode_usual, sample)[1]) <= len(sample)


def _attempted(decode: Callable[[bytes], _T], values: Sequence[bytes]) -> tuple[list[_T], list[int]]:
    """What `decode` makes of the values, and the places of those that it refuses."""
    events: list[_T] = []
    refused: list[int] = []
    source = iter(values)
    while len(events) + len(refused) < len(values):
        try:
            events.extend(map(decode, source))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            refused.append(len(events) + len(refused))  # extend kept what came before the one that was refused
    return events, refused


def _without(refused: list[int], position: list[int], raw: Sequence[bytes]) -> tuple[list[int], Sequence[bytes]]:
    if not refused:
        return position, raw
    gone = set(refused)
    kept = [i for i in range(len(raw)) if i not in gone]
    return [position[i] for i in kept], [raw[i] for i in kept]


def _usual(position: list[int], raw: Sequence[bytes], events: list[_Usual]) -> list[Columns]:
    if not events:
        return []
    columns = Columns(
        position,
        raw,
        [event.device_id for event in events],
        [event.timestamp for event in events],
        [event.data_payload for event in events],
        [None] * len(events),
        [len(_Usual.__struct_fields__)] * len(events),
    )
    return [columns]
