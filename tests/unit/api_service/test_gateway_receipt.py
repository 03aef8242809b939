"""A receipt says what it was made of, to whom it was made for."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.gateway.receipt import Accepted, Receipts
from api_service.problems import Problem

RECEIPTS = Receipts(b"secret")
TOPIC = "Ci9Y3vR1T0m2YqJcF0aZcQ"


@st.composite
def _accepted(draw: st.DrawFn) -> Accepted:
    index = sorted(draw(st.sets(st.integers(0, 10_000), min_size=1, max_size=60)))
    partition = draw(st.lists(st.integers(0, 9_999), min_size=len(index), max_size=len(index)))
    offset = draw(st.lists(st.integers(0, 2**62), min_size=len(index), max_size=len(index)))
    return Accepted(TOPIC, index, partition, offset)


def _refused(text: str, subject: str = "me", receipts: Receipts = RECEIPTS) -> None:
    with pytest.raises(Problem) as refused:
        receipts.read(text, subject)
    assert refused.value.status == 404


@given(_accepted(), st.text())
def test_it_comes_back(accepted: Accepted, subject: str) -> None:
    assert RECEIPTS.read(RECEIPTS.make(subject, accepted), subject) == accepted


@given(_accepted(), st.data())
def test_a_changed_one_is_none(accepted: Accepted, data: st.DataObject) -> None:
    text = RECEIPTS.make("me", accepted)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != text[place]))
    _refused(text[:place] + other + text[place + 1 :])
    _refused(text[:place])


@given(st.text(max_size=200))
def test_any_text_is_none(text: str) -> None:
    _refused(text)


def test_another_subject_or_key_finds_nothing() -> None:
    text = RECEIPTS.make("me", Accepted(TOPIC, [0], [3], [17]))
    _refused(text, "you")
    _refused(text, "me", Receipts(b"another"))
    _refused(text + "=")
    _refused(base64.urlsafe_b64encode(base64.urlsafe_b64decode(text + "==") + b"\0").decode())


def test_it_is_short() -> None:
    """It travels in a URL."""
    single = RECEIPTS.make("me", Accepted(TOPIC, [0], [3], [123_456_789_012]))
    assert len(single) < 100
    many = range(10_000)
    text = RECEIPTS.make("me", Accepted(TOPIC, many, [i * 7919 % 6 for i in many], [10**9 + i // 6 for i in many]))
    assert len(text) < 8_000
