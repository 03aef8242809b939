"""`traceparent`, as W3C Trace Context has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import tracing
from shared.tracing import Context

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-ff", True),
        (f"00-{TRACE}-{SPAN}-02", False),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what the future brings", True),
    ],
)
def test_what_a_traceparent_says(header: str, sampled: bool) -> None:
    assert tracing.parse(header.encode()) == Context(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01 ",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"ff-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE}0-{SPAN}-01",
        f"00_{TRACE}_{SPAN}_01",
    ],
)
def test_what_says_nothing(header: str) -> None:
    assert tracing.parse(header.encode()) is None


@given(st.binary(max_size=80))
def test_garbage_is_no_error(header: bytes) -> None:
    found = tracing.parse(header)
    assert found is None or tracing.parse(found.header().encode()) == found


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_what_is_written_is_read(trace: int, span: int, sampled: bool) -> None:
    context = Context(f"{trace:032x}", f"{span:016x}", sampled)
    assert tracing.parse(context.header().encode()) == context


def test_without_traces_nothing_is_made() -> None:
    assert not tracing.on()
    assert tracing.start("a") is None
    with tracing.child("b") as span, tracing.inside(None), tracing.within(None):
        assert span is None
        assert tracing.current() is None
    assert tracing.identify() == {}
