"""How long a well-behaved client waits."""

import pytest

from simulator.http.backoff import LONGEST_S, RETRY_AFTER_AT_MOST_S, full_jitter, retry_after_s, wait_s

NOW = 1_795_000_000.0  # Wed, 18 Nov 2026 11:06:40 GMT


def longest(seconds: float) -> float:
    return seconds


def test_the_longest_wait_doubles_up_to_its_limit() -> None:
    waits = [wait_s(failures, None, longest) for failures in range(1, 10)]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, LONGEST_S, LONGEST_S]
    assert wait_s(100_000, None, longest) == LONGEST_S


def test_waits_spread_from_nothing_to_the_longest() -> None:
    waits = [wait_s(5, None, full_jitter) for _ in range(2_000)]
    assert 0 <= min(waits) < 0.1
    assert 1.5 < max(waits) <= 1.6


@pytest.mark.parametrize(("asked", "least"), [(0.0, 0.0), (3.0, 3.0), (1e9, RETRY_AFTER_AT_MOST_S)])
def test_a_server_that_names_a_time_is_not_asked_before(asked: float, least: float) -> None:
    waits = [wait_s(3, asked, full_jitter) for _ in range(100)]
    assert least <= min(waits) <= max(waits) <= least + 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("9" * 500, 999_999_999_999.0),
        ("Wed, 18 Nov 2026 11:07:10 GMT", 30.0),
        ("Wed, 18 Nov 2026 11:07:10 -0000", 30.0),
        ("Wed, 18 Nov 2026 11:06:10 GMT", 0.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("Wed, 18 Nov 99999 11:07:10 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds
