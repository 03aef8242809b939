"""Events, good and bad, with what must become of each: run through the decoder, through Kafka and through HTTP.

Bad ones carry the code of the wire contract; good ones the time, metrics and extras that are stored.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

NOW = datetime.fromisoformat("2026-01-15T12:00:00+00:00")
_NESTED = '{"device_id":"d","timestamp":"2026-01-15T11:59:00Z","data_payload":{"m":1}}'


@dataclass(frozen=True)
class Bad:
    name: str
    value: bytes
    code: str


@dataclass(frozen=True)
class Good:
    name: str
    value: bytes
    metrics: dict[str, float]
    device: str = "d"
    at: str = "2026-01-15T11:59:00+00:00"
    extras: dict[str, Any] = field(default_factory=dict)


def _with(**fields: str) -> bytes:
    """An event whose fields are these JSON texts; an empty text leaves a field out."""
    given = {"device_id": '"d"', "timestamp": '"2026-01-15T11:59:00Z"', "data_payload": '{"m":1}'} | fields
    return ("{" + ",".join(f'"{name}":{text}' for name, text in given.items() if text) + "}").encode()


def _payload(text: str) -> bytes:
    return _with(data_payload=text)


def _time(text: str) -> bytes:
    return _with(timestamp=text)


def _device(text: str) -> bytes:
    return _with(device_id=text)


MALFORMED = {
    "empty": b"",
    "spaces only": b"  \n",
    "truncated": _NESTED[:-1].encode(),
    "trailing text": _NESTED.encode() + b" x",
    "two documents": _NESTED.encode() * 2,
    "two documents with a comma": (_NESTED + "," + _NESTED).encode(),
    "closes what it did not open": _NESTED.encode() + b"]",
    "comment": b"/* c */" + _NESTED.encode(),
    "trailing comma": _payload('{"m":1,}'),
    "single quotes": _NESTED.replace('"', "'").encode(),
    "leading zero": _payload('{"m":01}'),
    "plus": _payload('{"m":+1}'),
    "bare fraction": _payload('{"m":.5}'),
    "open fraction": _payload('{"m":5.}'),
    "hexadecimal": _payload('{"m":0x10}'),
    "control byte in a string": _payload('{"m":1,"s":"a\x01b"}'),
    "newline in a string": _payload('{"m":1,"s":"a\nb"}'),
    "bad UTF-8": _NESTED.encode().replace(b'"d"', b'"d\xff"'),
    "overlong UTF-8": _NESTED.encode().replace(b'"d"', b'"d\xc0\xaf"'),
    "surrogate as UTF-8": _NESTED.encode().replace(b'"d"', b'"d\xed\xa0\x80"'),
    "UTF-16": _NESTED.encode("utf-16"),
    "UTF-16 without a mark": _NESTED.encode("utf-16-le"),
    "BOM": b"\xef\xbb\xbf" + _NESTED.encode(),
    "deep nesting": _payload('{"m":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "deep nesting, never closed": b"[" * 200_000,
    "lone surrogate": _payload(r'{"m":1,"s":"\ud800"}'),
    "lone surrogate in a key": _payload(r'{"m":1,"\udc00":"s"}'),
    "lone surrogate in the device": _device(r'"d\ud800"'),
    "bad escape": _payload(r'{"m":1,"s":"\x"}'),
    "NUL in an extra": _payload(r'{"m":1,"s":"a\u0000b"}'),
    "NUL in an extra's key": _payload(r'{"m":1,"a\u0000b":"s"}'),
    "NUL deep in an extra": _with(extra=r'[{"a":["\u0000"]}]'),
    "binary": bytes(range(256)),
    "a word": b"hello",
}
NOT_OBJECT = {
    "array": b"[]",
    "array of an event": f"[{_NESTED}]".encode(),
    "string": b'"s"',
    "number": b"1",
    "null": b"null",
    "true": b"true",
    "payload is an array": _payload("[]"),
    "payload is null": _payload("null"),
    "payload is a number": _payload("1"),
}
DUPLICATE_KEY = {
    "device": b'{"device_id":"d",' + _NESTED.encode()[1:],
    "time": _with(timestamp='"2026-01-15T11:59:00Z","timestamp":"2026-01-15T11:59:00Z"'),
    "payload": _with(data_payload='{"m":1},"data_payload":{"m":1}'),
    "metric": _payload('{"m":1,"m":1}'),
    "metric, once escaped": _payload(r'{"m":1,"\u006d":1}'),
    "in an extra": _with(extra='{"a":1,"a":2}'),
    "deep in an extra": _with(extra='[[{"b":{"a":1,"a":2}}]]'),
    "hidden behind an escaped colon": _payload(r'{"m":1,"m":1,"n":2,"s":"\u003a"}'),
}
NON_FINITE = {
    "NaN": _payload('{"m":NaN}'),
    "Infinity": _payload('{"m":Infinity}'),
    "-Infinity": _payload('{"m":-Infinity}'),
    "1e999": _payload('{"m":1e999}'),
    "-1e400": _payload('{"m":-1e400}'),
    "400 digits": _payload('{"m":' + "9" * 400 + "}"),
    "5,000 digits": _payload('{"m":' + "9" * 5_000 + "}"),
    "in an extra": _with(extra="[1e999]"),
    "NaN in an extra": _with(extra='{"a":NaN}'),
    "long integer in an extra": _with(extra="[" + "1" * 5_000 + "]"),
}
BAD_DEVICE_ID = {
    "missing": _device(""),
    "empty": _device('""'),
    "space": _device('" "'),
    "space before": _device('" d"'),
    "space after": _device('"d "'),
    "no-break space after": _device('"d\u00a0"'),
    "integer": _device("7"),
    "null": _device("null"),
    "array": _device('["d"]'),
    "NUL": _device(r'"d\u0000"'),
    "newline": _device(r'"d\n1"'),
    "delete": _device('"d\u007f"'),
    "right-to-left override": _device('"d\u202e1"'),
    "isolate": _device('"d\u2066"'),
    "too long": _device('"' + "d" * 129 + '"'),
    "first of several is bad": _with(device_id="7", device='"d"'),
}
BAD_TIMESTAMP = {
    "missing": _time(""),
    "null": _time("null"),
    "true": _time("true"),
    "array": _time("[1]"),
    "naive": _time('"2026-01-15T11:59:00"'),
    "naive with a fraction": _time('"2026-01-15T11:59:00.5"'),
    "date only": _time('"2026-01-15"'),
    "numeric string": _time('"1768478340"'),
    "empty": _time('""'),
    "30 February": _time('"2025-02-30T00:00:00Z"'),
    "29 February of no leap year": _time('"2025-02-29T00:00:00Z"'),
    "month 13": _time('"2025-13-01T00:00:00Z"'),
    "month 0": _time('"2025-00-01T00:00:00Z"'),
    "day 0": _time('"2025-01-00T00:00:00Z"'),
    "24:00": _time('"2026-01-14T24:00:00Z"'),
    "minute 60": _time('"2026-01-14T10:60:00Z"'),
    "leap second": _time('"2026-01-14T10:59:60Z"'),
    "offset +99:00": _time('"2026-01-15T11:59:00+99:00"'),
    "offset without colon": _time('"2026-01-15T11:59:00+0000"'),
    "offset of hours": _time('"2026-01-15T11:59:00+00"'),
    "fraction without digits": _time('"2026-01-15T11:59:00.Z"'),
    "comma as point": _time('"2026-01-15T11:59:00,5Z"'),
    "year 0": _time('"0000-01-01T00:00:00Z"'),
    "year 10000": _time('"10000-01-01T00:00:00Z"'),
    "two-digit year": _time('"26-01-15T11:59:00Z"'),
    "other digits": _time('"२०२६-01-15T11:59:00Z"'),
    "space after": _time('"2026-01-15T11:59:00Z "'),
    "week date": _time('"2026-W03-4T11:59:00Z"'),
    "first of several is bad": _with(timestamp="null", ts="1768478340"),
}
IN_FUTURE = {
    "301 s": _time('"2026-01-15T12:05:01Z"'),
    "year 9999": _time('"9999-12-31T23:59:59.999999Z"'),
    "milliseconds": _time("1768478999000000"),
    "1e300": _time("1e300"),
}
TOO_OLD = {
    "1970": _time("0"),
    "before 1970": _time("-1"),
    "-1e300": _time("-1e300"),
    "too negative for 64 bits of microseconds": _time("-100000000000000"),
    "too negative in milliseconds": _time("-1768478340000"),
    "year 1": _time('"0001-01-01T00:00:00Z"'),
    "year 1 in an eastern zone": _time('"0001-01-01T00:00:00+14:00"'),
    "3651 days": _time('"2016-01-17T11:00:00Z"'),
}
BAD_METRIC = {
    "empty": _payload('{"":1}'),
    "space": _payload('{"a b":1}'),
    "umlaut": _payload('{"größe":1}'),
    "65 characters": _payload('{"' + "m" * 65 + '":1}'),
    "newline": _payload(r'{"m\n":1}'),
    "flat": b'{"device":"d","ts":"2026-01-15T11:59:00Z","a b":1}',
}
TOO_MANY = {"257 metrics": _payload("{" + ",".join(f'"m{i}":{i}' for i in range(257)) + "}")}
TOO_LARGE = {"more than a million bytes": _payload('{"m":1,"s":"' + "x" * 1_000_000 + '"}')}

BAD = [
    Bad(f"{code}: {name}", value, code)
    for code, cases in {
        "malformed": MALFORMED,
        "not_object": NOT_OBJECT,
        "duplicate_key": DUPLICATE_KEY,
        "non_finite": NON_FINITE,
        "bad_device_id": BAD_DEVICE_ID,
        "bad_timestamp": BAD_TIMESTAMP,
        "timestamp_in_future": IN_FUTURE,
        "timestamp_too_old": TOO_OLD,
        "bad_metric": BAD_METRIC,
        "too_many_metrics": TOO_MANY,
        "too_large": TOO_LARGE,
    }.items()
    for name, value in cases.items()
]

GOOD = [
    Good("nested", _NESTED.encode(), {"m": 1.0}),
    Good("with white space", b" \r\n\t" + _NESTED.replace(",", " ,\n").encode() + b"\n", {"m": 1.0}),
    Good("empty payload", _payload("{}"), {}),
    Good("several metrics", _payload('{"b":2,"a":1,"B":3}'), {"B": 3.0, "a": 1.0, "b": 2.0}),
    Good("negative zero", _payload('{"m":-0.0}'), {"m": -0.0}),
    Good("negative integer zero", _payload('{"m":-0}'), {"m": 0.0}),
    Good("the smallest double", _payload('{"m":5e-324}'), {"m": 5e-324}),
    Good("underflow", _payload('{"m":1e-999}'), {"m": 0.0}),
    Good("the largest double", _payload('{"m":1.7976931348623157e308}'), {"m": 1.7976931348623157e308}),
    Good("long integer", _payload('{"m":' + "1" * 300 + "}"), {"m": float("1" * 300)}),
    Good("colons in a name", _payload('{"a:b":1}'), {"a:b": 1.0}),
    Good("every character of a name", _payload('{"aZ09_.:/-":1}'), {"aZ09_.:/-": 1.0}),
    Good("64 characters", _payload('{"' + "m" * 64 + '":1}'), {"m" * 64: 1.0}),
    Good("escaped metric", _payload(r'{"\u006d":1}'), {"m": 1.0}),
    Good("text in the payload", _payload('{"m":1,"s":"x","n":null,"b":true}'), {"m": 1.0},
         extras={"s": "x", "n": None, "b": True}),
    Good("nested extras", _with(meta='{"a":[1,2.5,{"b":false}]}'), {"m": 1.0},
         extras={"meta": {"a": [1, 2.5, {"b": False}]}}),
    Good("number beside the payload", _with(seq="7"), {"m": 1.0}, extras={"seq": 7}),
    Good("a name in both places", _with(data_payload='{"m":1,"fw":"a"}', fw='"b"'), {"m": 1.0},
         extras={"fw": "b", "data_payload.fw": "a"}),
    Good("escaped backslash before u0000", _payload(r'{"m":1,"s":"\\u0000"}'), {"m": 1.0}, extras={"s": "\\u0000"}),
    Good("surrogate pair", _payload(r'{"m":1,"s":"\ud83d\ude00"}'), {"m": 1.0}, extras={"s": "😀"}),
    Good("flat", b'{"device":"d","timestamp":1768478340,"heartRateValue":72,"firmware":"1.4"}',
         {"heartRateValue": 72.0},
         extras={"firmware": "1.4"}),
    Good("flat with sensor_id and time", b'{"sensor_id":"d","time":1768478340000,"m":1}', {"m": 1.0}),
    Good("flat with source and ts", b'{"source":"d","ts":1768478340.0,"m":1}', {"m": 1.0}),
    Good("later device fields are ordinary", b'{"source":"x","device":"d","time":5,"ts":1768478340,"m":1}',
         {"m": 1.0, "time": 5.0}, extras={"source": "x"}),
    Good("decomposed device id", _device('"u\u0308"'), {"m": 1.0}, device="\u00fc"),
    Good("escaped device id", _device(r'"\u00fc"'), {"m": 1.0}, device="\u00fc"),
    Good("128 characters", _device('"' + "d" * 128 + '"'), {"m": 1.0}, device="d" * 128),
    Good("device with a colon", _device('"a:b"'), {"m": 1.0}, device="a:b"),
    Good("device with an emoji", _device('"😀"'), {"m": 1.0}, device="😀"),
    Good("lower-case t and z", _time('"2026-01-15t11:59:00z"'), {"m": 1.0}),
    Good("space for T", _time('"2026-01-15 11:59:00Z"'), {"m": 1.0}),
    Good("offset", _time('"2026-01-15T17:29:00+05:30"'), {"m": 1.0}),
    Good("negative offset", _time('"2026-01-15T06:59:00-05:00"'), {"m": 1.0}),
    Good("unknown offset", _time('"2026-01-15T11:59:00-00:00"'), {"m": 1.0}),
    Good("fraction", _time('"2026-01-15T11:59:00.25Z"'), {"m": 1.0}, at="2026-01-15T11:59:00.250000+00:00"),
    Good("fraction with an offset", _time('"2026-01-15T12:59:00.000001+01:00"'), {"m": 1.0},
         at="2026-01-15T11:59:00.000001+00:00"),
    Good("more than six digits are cut", _time('"2026-01-15T11:59:00.123456999Z"'), {"m": 1.0},
         at="2026-01-15T11:59:00.123456+00:00"),
    Good("epoch seconds", _time("1768478340"), {"m": 1.0}),
    Good("epoch seconds with a fraction", _time("1768478340.123456"), {"m": 1.0},
         at="2026-01-15T11:59:00.123456+00:00"),
    Good("epoch fraction is cut", _time("1768478340.1234569999999"), {"m": 1.0}, at="2026-01-15T11:59:00.123456+00:00"),
    Good("epoch seconds with an exponent", _time("1.76847834e9"), {"m": 1.0}),
    Good("epoch milliseconds", _time("1768478340250"), {"m": 1.0}, at="2026-01-15T11:59:00.250000+00:00"),
    Good("29 February", _time('"2024-02-29T00:00:00Z"'), {"m": 1.0}, at="2024-02-29T00:00:00+00:00"),
    Good("300 s ahead", _time('"2026-01-15T12:05:00Z"'), {"m": 1.0}, at="2026-01-15T12:05:00+00:00"),
    Good("256 metrics", _payload("{" + ",".join(f'"m{i}":{i}' for i in range(256)) + "}"),
         {f"m{i}": float(i) for i in range(256)}),
]  # fmt: skip
