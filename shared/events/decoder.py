"""Many events in one call, as columns: what gateway and consumer share, so that they can't disagree.

The usual form (device_id, timestamp as text or integer, data_payload of numbers) is decoded by msgspec into a struct,
every other into a dict, which `rewriting` makes the usual form of; both are checked column by column. Whatever that
refuses, or might read otherwise than the contract wants (an escape, a duplicate key), goes alone through
`strict.decode_one`, which decides.
"""

import operator
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from shared.events.codes import Code, Limits, Refused, Reject
from shared.events.reading import read
from shared.events.rewriting import Columns, Time, written_keys
from shared.events.strict import METRIC_NAME, Event, decode_one, normalise_device
from shared.events.timestamps import parse_times

_T = TypeVar("_T")
_CACHE_SIZE = 200_000
# What is decoded together should fit the processor's cache: 20,000 at once take a fifth longer.
_AT_ONCE = 4_000


@dataclass(frozen=True, slots=True)
class Group:
    """The events of one layout, in the order of the input: m of them with k metrics."""

    names: tuple[str, ...]  # sorted by code point
    position: npt.NDArray[np.int64]  # (m,) place in the input
    device: list[str]  # in NFC
    ts_us: npt.NDArray[np.int64]  # (m,) microseconds since 1970
    values: npt.NDArray[np.float64]  # (m, k)
    extras: list[bytes | None] | None  # JSON objects; None: none of them has any


@dataclass(frozen=True, slots=True)
class Decoded:
    """What can be taken, a group a layout (one that came in several forms may come again), and what can't."""

    groups: list[Group]
    rejects: list[Reject]  # by position


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """The keys of a payload as they were written."""

    names: tuple[str, ...]
    order: list[int] | None  # of the written values, to be in the order of `names`; None: they are
    colons: int


class Decoder:
    """Keeps what it learnt of devices and layouts from call to call; for one thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._devices: dict[str, str] = {}
        self._shapes: dict[tuple[str, ...], _Shape] = {}

    def decode(
        self, values: Sequence[bytes | None], now_us: int, keys: Sequence[bytes | None] | None = None
    ) -> Decoded:
        """Decodes each value (None: a tombstone); `keys` are Kafka's, to be compared with the device ids."""
        groups: list[Group] = []
        rejects: list[Reject] = []
        for start in range(0, len(values), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            part = self._decode_some(values[some], now_us, None if keys is None else keys[some])
            groups += [replace(group, position=group.position + start) for group in part.groups]
            rejects += [replace(reject, position=reject.position + start) for reject in part.rejects]
        return Decoded(groups, rejects)

    def _decode_some(self, values: Sequence[bytes | None], now_us: int, keys: Sequence[bytes | None] | None) -> Decoded:
        alone = _by_their_bytes(values, self._limits.max_event_bytes)
        rejects: list[Reject] = []
        groups = [group for events in read(values, alone) for group in self._columns(events, alone, now_us)]
        groups += _grouped(self._one_by_one(values, alone, now_us, rejects))
        if keys is not None:
            groups = [group for g in groups if len((group := _matching(g, keys, rejects)).position)]
        rejects.sort(key=lambda reject: reject.position)
        return Decoded(groups, rejects)

    def _columns(self, events: Columns, alone: set[int], now_us: int) -> Iterator[Group]:
        """The groups of these events; adds to `alone` what a column's check doubts."""
        shapes, shape_of = self._shapes_of(events.payload)
        devices = self._devices_of(events.device)
        ts_us = parse_times(events.time)
        good = (ts_us <= now_us + self._limits.max_future_us) & (ts_us >= now_us - self._limits.max_age_us)
        if not all(devices):
            good &= np.array([device is not None for device in devices])
        good &= _no_duplicate_key(events, shapes, shape_of)
        if not good.all():
            alone.update(events.position[i] for i in np.flatnonzero(~good).tolist())
        position = np.array(events.position, np.int64)
        for number, shape in enumerate(shapes):
            rows = np.flatnonzero((shape_of == number) & good)
            if shape is None:
                alone.update(position[rows].tolist())
            elif len(rows):
                yield Group(
                    shape.names,
                    position[rows],
                    cast("list[str]", _picked(devices, rows)),
                    ts_us[rows],
                    _matrix(_picked(events.payload, rows), shape),
                    _extras(_picked(events.extras, rows)),
                )

    def _devices_of(self, written: list[str]) -> list[str | None]:
        devices = list(map(self._devices.get, written))
        if not all(devices):
            if len(self._devices) > _CACHE_SIZE:
                self._devices.clear()
            devices = [device or self._learn_device(raw) for device, raw in zip(devices, written, strict=True)]
        return devices

    def _learn_device(self, raw: str) -> str | None:
        if raw not in self._devices:
            try:
                self._devices[raw] = normalise_device(raw)
            except Refused:
                return None  # decode_one will say why
        return self._devices[raw]

    def _shapes_of(self, payloads: list[dict[str, float]]) -> tuple[list[_Shape | None], npt.NDArray[np.int64]]:
        """The shapes that there are, None for one that can't be taken, and which of them each payload has."""
        written, which = written_keys(payloads)
        return [self._shape(keys) for keys in written], which

    def _shape(self, written: tuple[str, ...]) -> _Shape | None:
        if written not in self._shapes:
            if len(self._shapes) > _CACHE_SIZE // 100:
                self._shapes.clear()
            return self._learn_shape(written)
        return self._shapes[written]

    def _learn_shape(self, written: tuple[str, ...]) -> _Shape | None:
        if len(written) > self._limits.max_metrics or not all(map(METRIC_NAME.fullmatch, written)):
            return None
        order = sorted(range(len(written)), key=written.__getitem__)
        names = tuple(written[i] for i in order)
        shape = _Shape(names, None if names == written else order, "".join(written).count(":"))
        self._shapes[written] = shape
        return shape

    def _one_by_one(
        self, values: Sequence[bytes | None], alone: set[int], now_us: int, rejects: list[Reject]
    ) -> list[tuple[int, Event]]:
        taken = []
        for i in sorted(alone):
            try:
                taken.append((i, decode_one(values[i], self._limits, now_us)))
            except Refused as refused:
                rejects.append(Reject(i, refused.code, refused.detail))
        return taken


def _by_their_bytes(values: Sequence[bytes | None], max_bytes: int) -> set[int]:
    """The positions of what isn't worth decoding, or can't be: tombstones, escapes, what is too large."""
    alone: set[int] = set()
    try:
        together = b"".join(cast("Sequence[bytes]", values))
    except TypeError:
        alone |= {i for i, value in enumerate(values) if value is None}
        together = b"".join(filter(None, values))
    if b"\\" in together:
        alone |= {i for i, value in enumerate(values) if value is not None and b"\\" in value}
    if len(together) > max_bytes:
        alone |= {i for i, value in enumerate(values) if len(value or b"") > max_bytes}
    return alone


def _no_duplicate_key(
    events: Columns, shapes: list[_Shape | None], shape_of: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_] | np.bool_:
    """msgspec keeps the last of duplicate keys, but each has a colon of its own in the bytes.

    Without escapes every colon is a key's or inside a string that we see, and a dropped pair only adds to the
    bytes' count: the sums are equal exactly if no event dropped one.
    """
    if None not in shapes:
        counted = zip(shapes, np.bincount(shape_of).tolist(), strict=True)
        seen = sum((len(s.names) + s.colons) * count for s, count in counted if s is not None)
        seen += sum(events.keys)
        seen += "".join(events.device).count(":")
        seen += _joined(events.time).count(":")
        seen += b"".join(filter(None, events.extras)).count(b":")
        if np.count_nonzero(np.frombuffer(b"".join(events.raw), np.uint8) == ord(":")) == seen:
            return np.True_
    there = [raw.count(b":") for raw in events.raw]
    expected = map(_colons, events.device, events.time, events.payload, events.extras, events.keys)
    return np.fromiter(map(operator.eq, there, expected), np.bool_, len(there))


def _joined(times: list[Time]) -> str:
    try:
        return "".join(cast("list[str]", times))  # three times as fast, and all are texts as a rule
    except TypeError:
        return "".join(map(str, times))


def _colons(device: str, time: Time, payload: dict[str, float], extras: bytes | None, keys: int) -> int:
    inside = sum(text.count(":") for text in (device, str(time), *payload))
    return keys + len(payload) + inside + (extras or b"").count(b":")


def _matrix(payloads: Sequence[dict[str, float]], shape: _Shape) -> npt.NDArray[np.float64]:
    """The values, a row a payload, in the order of the shape's names."""
    values = list(chain.from_iterable(map(dict.values, payloads)))
    # Several times as fast as np.array(values).
    matrix = np.frombuffer(struct.pack(f"{len(values)}d", *values)).reshape(len(payloads), len(shape.names))
    return matrix if shape.order is None else matrix[:, shape.order]


def _picked(items: Sequence[_T], rows: npt.NDArray[np.int64]) -> Sequence[_T]:
    """The items at these places, which are distinct and in order."""
    return items if len(rows) == len(items) else [items[i] for i in rows.tolist()]


def _extras(extras: Sequence[bytes | None]) -> list[bytes | None] | None:
    return list(extras) if any(extras) else None


def _grouped(taken: list[tuple[int, Event]]) -> Iterator[Group]:
    by_names: dict[tuple[str, ...], list[tuple[int, Event]]] = {}
    for i, event in taken:
        by_names.setdefault(event.names, []).append((i, event))
    for names, members in by_names.items():
        extras = [event.extras for _, event in members]
        yield Group(
            names,
            np.array([i for i, _ in members], np.int64),
            [event.device for _, event in members],
            np.array([event.ts_us for _, event in members], np.int64),
            np.array([event.values for _, event in members], np.float64).reshape(len(members), len(names)),
            _extras(extras),
        )


def _matching(group: Group, keys: Sequence[bytes | None], rejects: list[Reject]) -> Group:
    """The group without the events whose record key is there and isn't the device id."""
    mine = _picked(keys, group.position)
    # No device id holds a NUL: joined, the two are the same only if each is.
    if None not in mine and b"\0".join(cast("list[bytes]", mine)) == "\0".join(group.device).encode():
        return group
    wanted = [device.encode() for device in group.device]
    good = np.array([k is None or k == w or _same_in_nfc(k, w) for k, w in zip(mine, wanted, strict=True)])
    detail = "the record's key is not the event's device id"
    rejects += [Reject(int(i), Code.KEY_MISMATCH, detail) for i in group.position[~good]]
    kept = np.flatnonzero(good)
    return Group(
        group.names,
        group.position[kept],
        [group.device[i] for i in kept],
        group.ts_us[kept],
        group.values[kept],
        [group.extras[i] for i in kept] if group.extras else None,
    )


def _same_in_nfc(key: bytes, wanted: bytes | None) -> bool:
    try:
        return normalise_device(key.decode("utf-8")).encode() == wanted
    except (UnicodeDecodeError, Refused):
        return False
