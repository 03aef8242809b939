"""Events that can't be taken, each with the contract's code for it."""

import json
from collections.abc import Callable

from simulator.record import Record

Maker = Callable[[str, str], Record]
"""Takes device id and time (RFC 3339)."""


def _record(device: str, document: object, key: str | None = None) -> Record:
    return {"key": (key or device).encode(), "value": json.dumps(document, separators=(",", ":")).encode()}


def _event(device: str, time: str, payload: object) -> dict[str, object]:
    return {"device_id": device, "timestamp": time, "data_payload": payload}


def _text(device: str, text: str) -> Record:
    return {"key": device.encode(), "value": text.encode()}


def _truncated(device: str, time: str) -> Record:
    return _text(device, json.dumps(_event(device, time, {"reading": 1}))[:-9])


def _bad_device_id(_device: str, time: str) -> Record:
    # No key: a broken device has none that would agree.
    return {"key": None, "value": json.dumps(_event(" ", time, {"reading": 1})).encode()}


def _naive(device: str, time: str) -> Record:
    return _record(device, _event(device, time.removesuffix("Z"), {"reading": 1}))


def _at(time: str) -> Maker:
    return lambda device, _time: _record(device, _event(device, time, {"reading": 1}))


def _payload(payload: object) -> Maker:
    return lambda device, time: _record(device, _event(device, time, payload))


MALFORMED: tuple[tuple[str, Maker], ...] = (
    ("malformed", _truncated),
    ("not_object", _payload([1, 2, 3])),
    ("duplicate_key", lambda d, t: _text(d, f'{{"device_id":"{d}","timestamp":"{t}","data_payload":{{"a":1,"a":2}}}}')),
    ("bad_device_id", _bad_device_id),
    ("bad_timestamp", _naive),
    ("timestamp_in_future", _at("9000-01-01T00:00:00Z")),
    ("timestamp_too_old", _at("1999-12-31T23:59:59Z")),
    ("non_finite", _payload({"reading": float("nan")})),
    ("bad_metric", _payload({"heart rate": 72})),
    ("too_many_metrics", _payload({f"m{number}": number for number in range(257)})),
    ("key_mismatch", lambda d, t: _record(d, _event(d, t, {"reading": 1}), key=f"not-{d}")),
    ("tombstone", lambda d, _t: {"key": d.encode(), "value": None}),
)
"""Code and maker. The codes that need a huge event or a full registry are left out."""
MALFORMED_OVER_HTTP = tuple((code, make) for code, make in MALFORMED if code not in {"key_mismatch", "tombstone"})
"""HTTP has neither keys nor tombstones."""
