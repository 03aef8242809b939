"""The wire contract: every case of the corpus, alone and among others, and the batch against the letter."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events import Decoded, Decoder, Limits
from shared.events.codes import Refused
from shared.events.strict import decode_one
from shared.events.timestamps import BAD, parse_text, parse_texts
from tests.corpus import BAD as BAD_CASES
from tests.corpus import GOOD, NOW, Bad, Good

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW_US = (NOW - EPOCH) // timedelta(microseconds=1)
NEIGHBOUR = b'{"device_id":"n","timestamp":"2026-01-15T11:58:00Z","data_payload":{"x":5}}'


def decode(*values: bytes | None, keys: list[bytes | None] | None = None) -> Decoded:
    return Decoder(Limits()).decode(values, NOW_US, keys)


def taken(decoded: Decoded) -> dict[int, tuple[Any, ...]]:
    """position → (device, µs, metrics with the sign of zero, extras as `exactly`)."""
    return {
        int(position): (
            group.device[i],
            int(group.ts_us[i]),
            {name: float.hex(float(v)) for name, v in zip(group.names, group.values[i], strict=True)},
            exactly(json.loads((group.extras[i] if group.extras else None) or b"{}")),
        )
        for group in decoded.groups
        for i, position in enumerate(group.position)
    }


def exactly(extras: object) -> str:
    """Unlike ==, tells 1, 1.0 and true apart."""
    return json.dumps(extras, sort_keys=True)


@pytest.mark.parametrize("case", BAD_CASES, ids=lambda case: case.name)
def test_a_bad_event_has_its_code_and_its_neighbours_are_taken(case: Bad) -> None:
    decoded = decode(NEIGHBOUR, case.value, NEIGHBOUR)
    assert [(r.position, r.code.value) for r in decoded.rejects] == [(1, case.code)]
    assert sorted(taken(decoded)) == [0, 2]


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_a_good_event_is_taken_as_it_means(case: Good) -> None:
    micros = (datetime.fromisoformat(case.at) - EPOCH) // timedelta(microseconds=1)
    metrics = {name: float.hex(value) for name, value in case.metrics.items()}
    expected = (case.device, micros, metrics, exactly(case.extras))
    decoded = decode(NEIGHBOUR, case.value, NEIGHBOUR)
    assert not decoded.rejects
    assert taken(decoded)[1] == expected


def test_the_whole_corpus_in_one_call() -> None:
    decoded = decode(*(case.value for case in GOOD), *(case.value for case in BAD_CASES))
    assert sorted(taken(decoded)) == list(range(len(GOOD)))
    assert [r.code.value for r in decoded.rejects] == [case.code for case in BAD_CASES]


def test_a_detail_never_echoes_the_input() -> None:
    for reject in decode(*(case.value.replace(b"2026", b"SECRET") for case in BAD_CASES)).rejects:
        assert "SECRET" not in reject.detail


def test_a_tombstone_is_refused() -> None:
    assert [(r.position, r.code.value) for r in decode(None, NEIGHBOUR).rejects] == [(0, "tombstone")]


@pytest.mark.parametrize(
    ("device", "key", "matches"),
    [
        ("d", b"d", True), ("d", None, True), ("d", b"", False), ("d", b"D", False), ("d", b"\xff", False),
        ("u\u0308", "\u00fc".encode(), True), ("\u00fc", "u\u0308".encode(), True),
    ],
)  # fmt: skip
def test_a_key_must_be_the_device_id_after_nfc(device: str, key: bytes | None, matches: bool) -> None:
    value = NEIGHBOUR.replace(b'"n"', json.dumps(device).encode())
    plain = NEIGHBOUR.replace(b'"n"', json.dumps(device, ensure_ascii=False).encode())
    decoded = decode(NEIGHBOUR, value, plain, NEIGHBOUR, keys=[b"n", key, key, b"n"])
    codes = [(r.position, r.code.value) for r in decoded.rejects]
    assert codes == ([] if matches else [(1, "key_mismatch"), (2, "key_mismatch")])
    assert len(taken(decoded)) == 4 - len(codes)


def test_records_can_not_borrow_from_their_neighbours() -> None:
    """Texts that would make sense only together: each is refused by itself."""
    halves = [b'{"device_id":"a","x":[{}', b'{"b":1}]}', b"{},{}", NEIGHBOUR + b"\n" + NEIGHBOUR]
    assert [r.position for r in decode(*halves).rejects] == [0, 1, 2, 3]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner)
)
names = st.sampled_from(["device_id", "device", "source", "timestamp", "ts", "data_payload", "m", "n", "a:b", "ü", "s"])
times = st.sampled_from(
    ["2026-01-15T11:59:00Z", 1768478340, 1768478340.5, 1768478340123, "2026-01-15T11:59:00.1+01:00"]
)
usual = st.fixed_dictionaries(
    {
        "device_id": st.sampled_from(["d", "e", "a:b", "ü"]) | st.text(max_size=3),
        "timestamp": times | st.text(max_size=3),
        "data_payload": st.dictionaries(st.sampled_from("abcx:") | st.text(max_size=3), st.floats() | st.integers()),
    }
)
events = usual | st.dictionaries(names, json_values | times, max_size=6) | json_values
texts = st.builds(lambda value, ascii_only: json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"),
                  events, st.booleans())  # fmt: skip
doubled = st.builds(lambda text: text.replace(b"{", b'{"m":1,', 1), texts)


def pairs(keys: str, values: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[list[str]]:
    """Fields as they are written, some of them twice."""
    written = st.tuples(st.sampled_from(keys.split(" ")), st.sampled_from([":", " : "]), values)
    return st.lists(written.map(lambda field: f'"{field[0]}"{field[1]}{field[2]}'), max_size=most)


def as_object(fields: list[str]) -> str:
    return "{" + ",".join(fields) + "}"


numbers = st.floats().map(repr) | st.sampled_from(
    "0 -0 -0.0 0.1 12 1E5 1e400 5e-324 9007199254740993 9223372036854775807 -9223372036854775809 18446744073709551616"
    f" 1{'0' * 40} {'9' * 309} -{'9' * 400} {'9' * 5000} 1e22 123456789.123456789012345678 01 1. NaN".split(" ")
)
strings = st.sampled_from(
    ["", "1.4", "a:b", "data_payload", "ts", "ü", "x\\n", "\\u003a", "\\u0000", "\\ud800", "a\x01b", "\x7f", "\n"]
).map('"{}"'.format)
plain_values = numbers | strings | st.sampled_from(["true", "false", "null"])
nested_values = st.recursive(
    plain_values | strings,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | pairs("a b ts timestamp", inner).map(as_object)
    ),
    max_leaves=6,
)
written_times = st.sampled_from(
    [
        '"2026-01-15T11:59:00Z"', '"2026-01-15T12:59:00.25+01:00"', '"2026-01-15T11:59:00"', '""', "null", "true", "{}",
        "5", "1e300", "-1e12", "1768478340", "1768478340.25", "1768478340.1234567", "1768478340.1234569999999",
        "1768478339.99999999999", "1.76847834e9", "1768478340123", "1768478340123.4567", "-100000000000000", "9" * 20,
    ]
)  # fmt: skip
written_devices = st.sampled_from(['"d"', '"e"', '"a:b"', '"ü"', '"u\u0308"', '" d"', '""', "7", "null", "{}", '["d"]'])
metrics = pairs("m n a:b heart/rate ts time device source", numbers | st.just("1.5"), 4)
oddities = pairs("firmware status ü a:b m data_payload.status data_payload timestamp x\\u003a", nested_values)
heads = st.tuples(
    st.sampled_from(["device_id", "device_id", "device", "source", "sensor_id", "who"]),
    written_devices | st.just('"d"'),
    st.sampled_from(["timestamp", "timestamp", "ts", "time", "when"]),
    written_times | st.just('"2026-01-15T11:59:00Z"'),
).map(lambda head: [f'"{head[0]}":{head[1]}', f'"{head[2]}":{head[3]}'])
payloads = (metrics | st.builds(list.__add__, metrics, oddities)).map(
    lambda fields: f'"data_payload":{as_object(fields)}'
)
any_form = st.one_of(
    st.builds(list.__add__, heads, metrics),
    st.builds(lambda head, fields, extras: head + fields + extras, heads, metrics, oddities),
    st.builds(lambda head, payload: [*head, payload], heads, payloads),
    st.builds(lambda head, payload, extras: [*head, payload, *extras], heads, payloads, oddities),
)
common = st.sampled_from(
    [
        NEIGHBOUR,
        b'{"device":"d","timestamp":1768478340,"heartRateValue":72,"firmware":"1.4"}',
        b'{"device":"d","timestamp":1768478340.5,"a:b":-0.0,"n":-0}',
        b'{"device_id":"d","timestamp":"2026-01-15T11:59:00Z","data_payload":{"x":5,"s":"a:b"},"s":{"a":[1.0]}}',
    ]
)
broken = st.sampled_from([b"", b"{", b"[]", b"\xff", NEIGHBOUR[:-1], NEIGHBOUR.replace(b"n", b"\xff"), NEIGHBOUR * 2])
written = (
    st.builds(lambda fields, order: as_object(order.sample(fields, len(fields))).encode(), any_form, st.randoms())
    | common
)


@settings(max_examples=400)
@given(st.lists(written | texts | doubled | broken | st.binary(max_size=20), max_size=12) | st.lists(written))
def test_a_batch_decides_as_each_event_alone_by_the_letter(values: list[bytes]) -> None:
    decoded = decode(*values)
    got: dict[int, object] = dict(taken(decoded)) | {r.position: r.code for r in decoded.rejects}
    assert len(got) == len(values)
    for i, value in enumerate(values):
        assert got[i] == by_the_letter(value), value
    assert all(np.all(np.diff(group.position) > 0) for group in decoded.groups)


def by_the_letter(value: bytes) -> object:
    try:
        event = decode_one(value, Limits(), NOW_US)
    except Refused as refused:
        return refused.code
    assert all(map(math.isfinite, event.values))
    metrics = {name: float.hex(v) for name, v in zip(event.names, event.values, strict=True)}
    return event.device, event.ts_us, metrics, exactly(json.loads(event.extras or b"{}"))


def test_a_time_is_not_taken_for_another_field_of_its_name() -> None:
    value = b'{"data_payload":{"ts":1768478340.5},"device":"d","ts":1768478339.25}'
    assert taken(decode(value))[0][1:3] == (1_768_478_339_250_000, {"ts": float.hex(1768478340.5)})


@pytest.mark.parametrize(
    "value",
    [
        NEIGHBOUR,
        b'{"device":"d","timestamp":1768478340,"m":1,"n":2.5}',
        b'{"device":"d","timestamp":1768478340.123456,"m":1}',
        b'{"sensor_id": "d", "time": "2026-01-15T11:59:00Z", "m": 1, "firmware": "1:4", "on": true, "at": null}',
        NEIGHBOUR.replace(b"}}", b'},"firmware":"1.4","seq":7,"battery":3.5}'),
        NEIGHBOUR.replace(b"5}", b'5,"status":"ok"}'),
        NEIGHBOUR.replace(b"}}", b'},"place":{"lat":1.5,"tags":["a:b",{"c":1}]}}'),
    ],
)
def test_the_forms_that_fleets_send_are_read_by_columns(value: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.events.decoder.decode_one", lambda *_: pytest.fail("went alone"))
    for neighbours in ([], [NEIGHBOUR] * 40, [NEIGHBOUR.replace(b"device_id", b"device")] * 40):
        assert len(taken(decode(value, *neighbours))) == 1 + len(neighbours)


@given(
    st.lists(st.datetimes(timezones=st.just(UTC)), max_size=6), st.sampled_from(["Z", "z", "+00:00"]), st.integers(0, 9)
)
def test_times_read_at_once_equal_times_read_alone(moments: list[datetime], zone: str, digits: int) -> None:
    def written_as(moment: datetime) -> str:
        fraction = f".{moment.microsecond:06}000"[: digits + 1] if digits else ""
        return moment.isoformat(timespec="seconds").removesuffix("+00:00") + fraction + zone

    written = [written_as(moment) for moment in moments]
    alone = [BAD if (micros := parse_text(text)) is None else micros for text in written]
    assert parse_texts(written).tolist() == alone
    assert BAD not in alone
