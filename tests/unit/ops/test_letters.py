"""What can be told of a dead letter's bytes, and how they are mended."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops.dlq.letters import CannotFix, Fix, device, mended, printable, state
from ops.dlq.options import require_choice
from ops.dlq.replay import prepare
from ops.dlq.store import Filter
from shared.events import Decoder, Limits

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
GOOD = b'{"device_id":"a","timestamp":"2026-11-21T07:00:00Z","data_payload":{"t":1.5}}'


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (b"k", GOOD, "k"),
        (None, GOOD, "a"),
        (b"", GOOD, "a"),
        (None, GOOD[:20], "a"),
        (None, b'{"source":"s","device":"d","ts":1', "d"),
        (None, b'{"source":"s","device":"d","ts":1}', "d"),
        (None, b'{"device_id":17}', "17"),
        (None, b'\xff{"device_id": "a"', "a"),
        (None, b'{"device_id": "a\\u0062', None),
        (None, b'{"device_id": "a\\u0062", "t', "ab"),
        (None, '{"device_id":"e\u0301"}'.encode(), "\u00e9"),
        (None, b"[1]", None),
        (None, b"", None),
        (None, None, None),
    ],
)
def test_whose_it_is(key: bytes | None, value: bytes | None, expected: str | None) -> None:
    assert device(key, value) == expected


@pytest.mark.parametrize(
    ("time", "shifted"),
    [
        ('"2026-11-21T09:00:00.5+01:00"', "2026-11-21T07:00:00.500000Z"),
        ("1793491200", "2026-10-31T23:00:00.000000Z"),
        ("1793491200250", "2026-10-31T23:00:00.250000Z"),
        ("1793491200.25", "2026-10-31T23:00:00.250000Z"),
    ],
)
def test_a_time_is_moved_whatever_its_form(time: str, shifted: str) -> None:
    value = f'{{"device":"a","ts":{time},"t":1}}'.encode()
    key, fixed = mended(b"a", value, Fix(shift=timedelta(hours=-1)))
    assert (key, json.loads(fixed or b"")) == (b"a", {"device": "a", "ts": shifted, "t": 1})


def test_the_key_follows_the_device_and_all_else_stays() -> None:
    value = '{"sensor_id":"a","time":1,"n":12345678901234567890,"x":[1,{"y":null}],"u":"\u00e9"}'.encode()
    key, fixed = mended(b"a", value, Fix(device="b"))
    assert key == b"b"
    assert json.loads(fixed or b"") == {**json.loads(value), "sensor_id": "b"}


def test_a_mended_event_can_be_taken() -> None:
    bad = GOOD.replace(b"2026-11-21T07", b"2026-11-21T09").replace(b'"device_id":"a",', b"")
    now_us = int(NOW.timestamp() * 1_000_000)
    assert Decoder(Limits()).decode([bad], now_us).rejects
    key, fixed = mended(None, bad, Fix(shift=timedelta(hours=-1), device="d"))
    decoded = Decoder(Limits()).decode([fixed], now_us, [key])
    assert decoded.rejects == []
    assert decoded.groups[0].device == ["d"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "not one JSON document"),
        (b"poison", "not one JSON document"),
        (b"\xff{}", "not one JSON document"),
        (b"[" * 100_000, "not one JSON document"),
        (b"[]", "not a JSON object"),
        (b'{"ts":1,"ts":2}', "same key twice"),
        (b'{"ts":1,"x":NaN}', "NaN is no JSON"),
        (b'{"ts":1,"x":1e999}', "overflows"),
        (b'{"ts":1,"x":"\\ud800"}', "half a surrogate pair"),
        (b'{"ts":"yesterday"}', "can't be read"),
        (b'{"ts":true}', "can't be read"),
        (b'{"ts":1e300}', "can't be read"),
        (b"{}", "missing"),
        (b'{"ts":"0001-01-01T00:00:00Z"}', "years 1 to 9999"),
    ],
)
def test_what_cannot_be_mended_is_refused_with_the_reason(value: bytes | None, why: str) -> None:
    with pytest.raises(CannotFix, match=why):
        mended(None, value, Fix(shift=timedelta(hours=-1)))


def letter(**own: Any) -> dict[str, Any]:
    headers = [["h", b64encode(b"1").decode()], ["n", None]]
    base = {"topic_id": "T", "partition": 3, "offset": 7, "key": None, "value": b"poison", "headers": headers}
    return base | own


def test_a_replay_is_the_original_record_with_its_origin_and_attempt() -> None:
    made = prepare(letter(), 0, Fix(), 5)
    assert (made.key, made.value, made.attempt) == (None, b"poison", 1)
    own = [("plumbline.replay.of", b"T/3/7"), ("plumbline.replay.attempt", b"1")]
    assert made.headers == [("h", b"1"), ("n", None), *own]


def test_attempts_are_counted_on_from_the_header_and_the_log() -> None:
    def header(text: bytes) -> dict[str, Any]:
        names = ("plumbline.replay.of", "plumbline.replay.attempt")
        return letter(headers=[[name, b64encode(text).decode()] for name in names])

    made = prepare(header(b"2"), 0, Fix(), 5)
    assert made.headers == [("plumbline.replay.of", b"T/3/7"), ("plumbline.replay.attempt", b"3")]
    assert prepare(letter(), 4, Fix(), 5).attempt == 5
    assert prepare(header(b"x"), 0, Fix(), 5).attempt == 1
    with pytest.raises(CannotFix, match="was replayed 5 times"):
        prepare(header(b"5"), 0, Fix(), 5)


def test_a_fixed_record_says_so() -> None:
    made = prepare(letter(value=GOOD), 0, Fix(shift=timedelta(hours=-1), device="b"), 5)
    assert made.headers[-1] == ("plumbline.replay.fixed", b"timestamp -3600s, device b")


def test_a_terminal_is_left_as_it_is() -> None:
    assert printable("a\x1b[31m\u202e\r\n\x00é") == "a\\x1b[31m\\u202e\\r\n\\x00é"


def test_states_exclude_each_other() -> None:
    nothing = dict.fromkeys(("published_at", "replayed_at", "discarded_at"))
    assert state(nothing) == "unpublished"
    assert state({**nothing, "published_at": NOW}) == "open"
    assert state({**nothing, "replayed_at": NOW}) == "replayed"
    assert state({**nothing, "replayed_at": NOW, "discarded_at": NOW}) == "discarded"


def test_acting_on_all_takes_a_word_of_its_own() -> None:
    require_choice(Filter(codes=["malformed"], state="open"), everything=False)
    require_choice(Filter(state="open"), everything=True)
    for chosen, everything in ((Filter(state="open"), False), (Filter(partition=0, state="open"), True)):
        with pytest.raises(Exception, match="narrow it down"):
            require_choice(chosen, everything)


def test_the_condition_names_only_what_is_asked_for() -> None:
    assert Filter().condition() == ("true", {})
    text, values = Filter(codes=["x"], partition=0, state="open").condition()
    assert (
        text == "code = ANY (%(codes)s) AND partition = %(partition)s AND replayed_at IS NULL AND discarded_at IS NULL"
    )
    assert values == {"codes": ["x"], "partition": 0}
    assert "key" not in Filter(device="\u00e9").condition()[1]
