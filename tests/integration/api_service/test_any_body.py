"""Whatever a body holds: never a 500, and of each item what the wire contract's own decoder says of its bytes."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.events import Limits
from shared.events.codes import Refused
from shared.events.strict import decode_one
from tests import servers
from tests.answering import answering, api_settings
from tests.pipeline import consume_all, high_watermarks, wait_for
from tests.servers import Topics

JSON, NDJSON = "application/json", "application/x-ndjson"
FEW = settings(
    max_examples=120, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
SPACE = b" \t\r\n"

_odd = st.sampled_from(["", " ", "a b", "\0", "\ud800", "é", "💥", "\u202e", "m" * 65, "NaN", "__proto__", "device_id"])
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | _odd,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | _odd, inner, max_size=3),
    max_leaves=6,
)
_device = st.sampled_from(["a", "ü", "ward-1", "d" * 128]) | st.text(max_size=4) | _odd | _json
_time = st.sampled_from([1768478340, 1768478340.25, 1768478340123, "2026-01-15T11:59:00Z", "2026-01-15T11:59:00", 0])
_payload = st.dictionaries(
    st.sampled_from(["m", "n", "temperature"]) | _odd, st.floats() | st.integers() | _json, max_size=4
)
_nested = st.fixed_dictionaries({"device_id": _device, "timestamp": _time | _json, "data_payload": _payload | _json})
_flat = st.builds(
    lambda fields, rest: {**rest, **fields}, st.fixed_dictionaries({"device": _device, "ts": _time}), _payload
)
_good = st.builds(
    lambda device, at, value: {"device_id": device, "timestamp": at, "data_payload": {"m": value}},
    *(st.sampled_from(["a", "b", "ü"]), st.integers(1_700_000_000, 1_768_000_000), st.integers(0, 99)),
)


def _text(value: object, escape: bool) -> bytes:
    return json.dumps(value, ensure_ascii=escape).encode("utf-8", "surrogatepass")


def _spoilt(text: bytes, at: int, by: bytes) -> bytes:
    """With something in it that opens or closes nothing."""
    place = at % (len(text) + 1)
    return text[:place] + by + text[place:]


_whole = st.builds(_text, _good | _nested | _flat | _json, st.booleans())
_broken = st.builds(
    _spoilt,
    _whole,
    st.integers(0, 999),
    st.sampled_from([b"0", b"+", b" x ", b"\x00", b"\xff", b"NaN", b":", b"//", b"\xed\xa0\x80"]),
)
_item = _whole | _broken
_line = (_item | st.binary(max_size=30)).map(lambda line: line.replace(b"\n", b" "))
_end = st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n \t\n", b"\n\r\n\r\n"])


class Gate:
    """An API, and what it has accepted."""

    def __init__(self, client: httpx.Client, topics: Topics) -> None:
        self.client, self.topics, self.accepted = client, topics, Counter[bytes]()

    def send(self, body: bytes, kind: str) -> httpx.Response:
        """To one of the two routes."""
        route = "/ingest" if len(body) % 2 else "/vital-data"
        return self.client.post(route, content=body, headers={"Content-Type": kind})

    def batch(self, body: bytes, kind: str, values: list[bytes]) -> None:
        """Each of these items has the outcome that it has by itself."""
        codes = [code(value) for value in values]
        expected = [(number, found) for number, found in enumerate(codes) if found]
        answer = self.send(body, kind)
        told = answer.json()
        assert [(each["index"], each["code"]) for each in told.get("rejected", ())] == expected, (body, answer.text)
        assert answer.status_code == (202 if None in codes else 422), (body, answer.text)
        assert told.get("accepted", 0) == codes.count(None)
        self.accepted.update(value.strip(SPACE) for value, found in zip(values, codes, strict=True) if found is None)


def code(value: bytes) -> str | None:
    """Of what the decoder refuses."""
    try:
        decode_one(value, Limits(), time.time_ns() // 1000)
    except Refused as refused:
        return refused.code.value
    return None


@pytest.fixture(scope="module")
def gate(stack: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with servers.fresh_topics(stack, 2) as topics, servers.database(stack) as database:
        own = {name.lower(): value for name, value in topics.environment().items()}
        own["api_modules"] = "auth,gateway"
        made = api_settings(database, tmp_path_factory.mktemp("api")).model_copy(update=own)
        with answering(made) as client:
            wait_for(lambda: client.get("/readyz").status_code == 200, "an API that is ready")
            yield Gate(client, topics)


@FEW
@given(body=_item | st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_one_event(gate: Gate, body: bytes) -> None:
    if body.lstrip(SPACE)[:1] == b"[":
        return
    answer, expected = gate.send(body, JSON), code(body)
    assert answer.status_code == {None: 202, "malformed": 400}.get(expected, 422), (body, answer.text)
    assert answer.json().get("code") == expected
    if expected is None:
        gate.accepted[body.strip(SPACE)] += 1


@FEW
@given(
    lines=st.lists(_line, min_size=1, max_size=12), ends=st.lists(_end, min_size=12, max_size=12), last=st.booleans()
)
def test_lines(gate: Gate, lines: list[bytes], ends: list[bytes], last: bool) -> None:
    body = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    values = [line for line in (body if last else body.rstrip(b"\n")).split(b"\n") if line.strip(SPACE)]
    if not values:
        assert gate.send(body, NDJSON).status_code == 422
        return
    gate.batch(body if last else body.rstrip(b"\n"), NDJSON, values)


def balanced(text: bytes) -> bool:
    """Whether quotes and brackets close; by a plain walk."""
    depth, quoted, escaped = 0, False, False
    for byte in text:
        if quoted:
            quoted, escaped = (byte != 0x22 or escaped), (byte == 0x5C and not escaped)
        elif byte == 0x22:
            quoted, escaped = True, False
        else:
            depth += (byte in b"[{") - (byte in b"]}")
            if depth < 0 or (depth == 0 and byte in b","):
                return False
    return depth == 0 and not quoted


@FEW
@given(elements=st.lists(_item, min_size=1, max_size=12), gap=st.sampled_from([b",", b" , ", b"\r\n,\t"]))
def test_elements(gate: Gate, elements: list[bytes], gap: bytes) -> None:
    values = [element for element in elements if balanced(element)]
    if not [value for value in values if value.strip(SPACE)]:
        return
    gate.batch(b"[" + gap.join(values) + b"]", JSON, values)


@FEW
@given(body=st.binary(max_size=300).map(lambda rest: b"[" + rest) | st.text('[]{}",:\\ 1', max_size=60).map(str.encode))
def test_what_is_hardly_an_array(gate: Gate, body: bytes) -> None:
    for kind in (JSON, NDJSON):
        answer = gate.send(body, kind)
        assert answer.status_code in (400, 422), (body, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


def test_kafka_has_what_was_accepted_byte_for_byte(gate: Gate) -> None:
    count = sum(high_watermarks(gate.topics).values())
    assert count == gate.accepted.total() > 100
    records = consume_all(gate.topics, gate.topics.settings.topic_readings, count)
    assert Counter((value or b"").strip(SPACE) for _, value, _ in records) == gate.accepted
