"""What a batch is linked with: the distinct spans that its records carry, and never too many."""

from typing import Any

import pytest

from ingestion_service import spans
from ingestion_service.batch import Record
from tests.unit.ingestion_service.records import FakeRecord

SPAN = "00f067aa0ba902b7"


def carrying(*headers: Any) -> Record:
    return FakeRecord(0, 0, b"", headers_=list(headers))


def traceparent(number: int, flags: str = "01") -> tuple[str, bytes]:
    return "traceparent", f"00-{number:032x}-{SPAN}-{flags}".encode()


def test_each_origin_once_in_order() -> None:
    records = [carrying(traceparent(n)) for n in (1, 2, 1, 3, 2)]
    assert [int(each.trace_id, 16) for each in spans.origins(records)] == [1, 2, 3]


def test_no_more_than_so_many_and_no_more_are_looked_at() -> None:
    looked = []

    class Watched:
        def __init__(self, number: int) -> None:
            self.number = number

        def headers(self) -> list[tuple[str, bytes]]:
            looked.append(self.number)
            return [traceparent(self.number)]

    records: list[Any] = [Watched(number) for number in range(1, 20_001)]
    assert len(spans.origins(records)) == len(looked) == 128


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("other", b"x")],
        [traceparent(1, "00")],
        [("traceparent", None)],
        [("traceparent", b"")],
        [("traceparent", b"\xff" * 55)],
        [("traceparent", b"x" * 100_000)],
        [("Traceparent", traceparent(1)[1])],
    ],
)
def test_what_is_no_origin(headers: list[Any]) -> None:
    assert spans.origins([carrying(*headers)]) == []


@pytest.mark.parametrize("error", [SystemError, UnicodeDecodeError])
def test_headers_that_cannot_be_read_are_none(error: type[Exception]) -> None:
    class Unreadable:
        def headers(self) -> list[tuple[str, bytes]]:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad") if error is UnicodeDecodeError else SystemError

    unreadable: Any = Unreadable()
    assert len(spans.origins([unreadable, carrying(traceparent(1))])) == 1
