"""Bodies are cut into events' bytes, whatever the events are worth."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.gateway import items
from api_service.gateway.items import JSON, NDJSON, split
from api_service.problems import Problem

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def _refused(body: bytes, media_type: str, most: int = 100) -> Problem:
    with pytest.raises(Problem) as refused:
        split(body, media_type, most)
    return refused.value


@given(st.lists(_VALUES, min_size=1, max_size=8), st.sampled_from(["", " ", "\n\t"]), st.booleans())
def test_an_array_is_cut_between_its_elements(values: list[object], space: str, escape: bool) -> None:
    elements = [json.dumps(value, ensure_ascii=escape) for value in values]
    body = (space + "[" + (space + "," + space).join(elements) + space + "]" + space).encode("utf-8", "surrogatepass")
    found = split(body, JSON, 100)
    wanted = [element.encode("utf-8", "surrogatepass") for element in elements]
    assert [value.strip() for value in found.values] == wanted
    assert not found.single


@given(st.lists(_VALUES, min_size=1, max_size=8), st.sampled_from([b"\n", b"\r\n", b"\n\n"]), st.booleans())
def test_lines_are_events(values: list[object], end: bytes, ended: bool) -> None:
    lines = [json.dumps(value).encode() for value in values]
    found = split(end.join(lines) + (end if ended else b""), NDJSON, 100)
    assert [value.strip() for value in found.values] == lines


def test_one_event_stays_as_it_came() -> None:
    body = b'  {"device_id": "a"} \n'
    assert split(body, JSON, 1) == items.Items([body], single=True)
    assert split(b"", JSON, 1).single  # which is malformed


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'[{"a":1},{"b":NaN}]', [b'{"a":1}', b'{"b":NaN}']),
        (b"[1,,2]", [b"1", b"", b"2"]),
        (b"[1,]", [b"1", b""]),
        (b"[1 2]", [b"1 2"]),
        (b'["a\\"],",[1,{"b":[]}],NaN]', [b'"a\\"],"', b'[1,{"b":[]}]', b"NaN"]),
        (b"[\xff,1]", [b"\xff", b"1"]),
        (b'[{"a":[}],{]]', [b'{"a":[}]', b"{]"]),
    ],
)
def test_an_element_that_is_no_json_leaves_the_others_whole(body: bytes, found: list[bytes]) -> None:
    assert split(body, JSON, 100).values == found


@pytest.mark.parametrize(
    "body", [b"[", b"[1", b"[1]]", b"[1] x", b'["a]', b"[{}", b'[{"a":"]', b"[1}", b'["\\"]', b"[[1]", b"[1][2]"]
)
def test_an_array_without_its_end_is_a_bad_request(body: bytes) -> None:
    problem = _refused(body, JSON)
    assert (problem.status, problem.code) == (400, "malformed")


@pytest.mark.parametrize(
    ("body", "media_type"), [(b"[]", JSON), (b" [ \n ] ", JSON), (b"", NDJSON), (b"\r\n \n", NDJSON)]
)
def test_no_event_is_a_problem(body: bytes, media_type: str) -> None:
    assert _refused(body, media_type).status == 422


@pytest.mark.parametrize("cheap", [False, True])
@pytest.mark.parametrize(
    ("make", "media_type"),
    [(lambda n: b"[" + b",".join([b"1"] * n) + b"]", JSON), (lambda n: b"1\n" * n, NDJSON)],
)
def test_too_many_events(
    make: Callable[[int], bytes], media_type: str, cheap: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where an array has so many commas that it is cut with care."""
    if cheap:
        monkeypatch.setattr(items, "_PIECES", 2)
    assert len(split(make(10), media_type, 10).values) == 10
    assert _refused(make(11), media_type, 10).status == 413
    assert _refused(make(1_000), media_type, 10).status == 413
