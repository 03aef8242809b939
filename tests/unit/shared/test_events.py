"""The wire contract: every case of the corpus, alone and among others, and the batch against the letter."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
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
    """position → (device, µs, metrics with the sign of zero, extras)."""
    return {
        int(position): (
            group.device[i],
            int(group.ts_us[i]),
            {name: float.hex(float(v)) for name, v in zip(group.names, group.values[i], strict=True)},
            json.loads((group.extras[i] if group.extras else None) or b"{}"),
        )
        for group in decoded.groups
        for i, position in enumerate(group.position)
    }


@pytest.mark.parametrize("case", BAD_CASES, ids=lambda case: case.name)
def test_a_bad_event_has_its_code_and_its_neighbours_are_taken(case: Bad) -> None:
    decoded = decode(NEIGHBOUR, case.value, NEIGHBOUR)
    assert [(r.position, r.code.value) for r in decoded.rejects] == [(1, case.code)]
    assert sorted(taken(decoded)) == [0, 2]


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_a_good_event_is_taken_as_it_means(case: Good) -> None:
    micros = (datetime.fromisoformat(case.at) - EPOCH) // timedelta(microseconds=1)
    metrics = {name: float.hex(value) for name, value in case.metrics.items()}
    expected = (case.device, micros, metrics, case.extras)
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


@given(st.lists(texts | doubled | st.binary(max_size=20), max_size=12))
def test_a_batch_decides_as_each_event_alone_by_the_letter(values: list[bytes]) -> None:
    decoded = decode(*values)
    got: dict[int, object] = dict(taken(decoded)) | {r.position: r.code for r in decoded.rejects}
    for i, value in enumerate(values):
        assert got[i] == by_the_letter(value), value


def by_the_letter(value: bytes) -> object:
    try:
        event = decode_one(value, Limits(), NOW_US)
    except Refused as refused:
        return refused.code
    assert all(map(math.isfinite, event.values))
    metrics = {name: float.hex(v) for name, v in zip(event.names, event.values, strict=True)}
    return event.device, event.ts_us, metrics, json.loads(event.extras or b"{}")


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
