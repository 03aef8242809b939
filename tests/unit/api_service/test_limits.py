"""Rate limits, on a clock of the test's."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from api_service.app import create_app
from api_service.limits import Buckets, RateLimits, network
from api_service.problems import Problem
from api_service.settings import ApiSettings
from tests.unit.api_service.serving import served


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.1

    def __call__(self) -> float:
        return self.now


def limits(clock: Clock, *, subject: float = 0, address: float = 0) -> RateLimits:
    settings = ApiSettings.model_validate(
        {"rate_limit_events_per_second": subject, "rate_limit_address_per_second": address}
    )
    return RateLimits(settings, clock)


def refused(call: Callable[..., None], *arguments: object) -> int:
    """Retry-After of the refusal, 0: there was none."""
    try:
        call(*arguments)
    except Problem as problem:
        return int(problem.headers["Retry-After"])
    return 0


def test_a_refusal_is_a_429_that_says_whose_rate_it_is() -> None:
    made = limits(Clock(), subject=1)
    made.subject("a")
    with pytest.raises(Problem, match="your token's subject") as refusal:
        made.subject("a")
    assert (refusal.value.status, refusal.value.code) == (429, "rate_limited")


def test_one_second_s_worth_at_once_then_as_many_a_second() -> None:
    clock = Clock()
    made = limits(clock, address=5)
    assert [refused(made.address, "192.0.2.1") for _ in range(6)] == [0] * 5 + [1]
    clock.now += 0.2
    assert [refused(made.address, "192.0.2.1") for _ in range(2)] == [0, 1]
    assert refused(made.address, "192.0.2.2") == 0


def test_retry_after_says_when_a_slow_rate_allows_the_next() -> None:
    clock = Clock()
    made = limits(clock, subject=0.1)
    assert [refused(made.subject, "a"), refused(made.subject, "a")] == [0, 10]
    clock.now += 3.5
    assert refused(made.subject, "a") == 7
    clock.now += 7
    assert refused(made.subject, "a") == 0


@pytest.mark.parametrize("rate", [0.5, 1, 2, 10])
def test_a_batch_of_any_size_passes_on_a_full_bucket_and_is_paid_off(rate: float) -> None:
    clock = Clock()
    made = limits(clock, subject=rate, address=rate)
    made.address("192.0.2.1")
    made.subject("a")
    assert refused(made.batch, "192.0.2.1", "a", 100) == 0
    due = (100 - max(1, rate) + 1) / rate
    wait = refused(made.subject, "a")
    assert due <= wait < due + 1
    assert refused(made.address, "192.0.2.1") == wait
    clock.now += wait
    assert refused(made.subject, "a") == 0


def test_a_refused_batch_is_charged_to_nobody_and_passes_when_it_is_told_to_come_again() -> None:
    clock = Clock()
    made = limits(clock, subject=10, address=1000)
    for _ in range(5):
        made.subject("a")
    made.address("192.0.2.1")
    assert refused(made.batch, "192.0.2.1", "a", 50) == 1
    assert refused(made.batch, "192.0.2.1", "b", 1_000) == 0, "the address has all its bucket"
    clock.now += 1
    made.subject("a")
    assert refused(made.batch, "192.0.2.2", "a", 50) == 0


def test_without_a_limit_nothing_is_refused() -> None:
    made = limits(Clock())
    for _ in range(100):
        made.address("192.0.2.1")
        made.subject("a")
        made.batch("192.0.2.1", "a", 1_000_000)


def test_ipv6_addresses_count_by_their_network() -> None:
    assert network("2001:db8:0:1::1") == network("2001:db8:0:1:ffff::2") != network("2001:db8:0:2::1")
    assert network("::ffff:192.0.2.1") == network("192.0.2.1") == "192.0.2.1"
    assert network("fe80::1%eth0") == network("fe80::2")
    assert network("not:an address") == "not:an address"


Requests = st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50)), max_size=60)


@given(st.floats(0.1, 100), Requests)
def test_never_more_than_the_rate_a_bucket_and_one_batch(rate: float, requests: list[tuple[float, int]]) -> None:
    buckets, now, passed = Buckets(rate), 1_000.0, 0
    for gap, cost in requests:
        now += gap
        if buckets.wait("a", cost, now) == 0:
            buckets.take("a", cost, now)
            passed += cost
    most = max((cost for _, cost in requests), default=0)
    assert passed <= rate * (now - 1_000) + max(1, rate) + most + 1e-3


@given(st.floats(0.1, 100), Requests, st.integers(1, 200))
def test_whoever_waits_as_told_gets_through(rate: float, requests: list[tuple[float, int]], cost: int) -> None:
    buckets, now = Buckets(rate), 1_000.0
    for gap, earlier in requests:
        now += gap
        buckets.take("a", earlier, now)
    assert buckets.wait("a", cost, now + buckets.wait("a", cost, now)) == 0


def test_full_buckets_are_forgotten_first_then_those_that_owe_least() -> None:
    buckets = Buckets(1, keys=8)
    buckets.take("long ago", 1, 0)
    for number in range(7):
        buckets.take(f"owes {number + 10}", number + 10, 100)
    buckets.take("new", 1, 100)
    assert len(buckets) == 7
    assert buckets.wait("owes 10", 1, 100) == 0, "forgotten: there was one too many"
    assert all(buckets.wait(f"owes {number}", 1, 100) > 0 for number in range(11, 17))


def test_memory_is_bounded_however_many_addresses_there_are() -> None:
    buckets = Buckets(0.001, keys=100)
    for number in range(1_000):
        buckets.take(str(number), 1, float(number))
        assert len(buckets) <= 100


def test_requests_are_charged_to_the_address_before_and_to_the_subject_after_the_token(
    settings: ApiSettings, forge: Callable[..., str]
) -> None:
    slow = {"rate_limit_address_per_second": 3, "rate_limit_events_per_second": 1, "api_modules": "auth,query"}
    with served(create_app(settings.model_copy(update=slow), CollectorRegistry())) as client:
        answers = [
            client.get("/devices", headers={"Authorization": f"Bearer {forge(scope='', sub=subject)}"}).status_code
            for subject in ("a", "a", "b", "c")
        ]
        assert answers == [403, 429, 403, 429], "the third is the address's last"
        refusals = [client.get("/devices"), client.post("/auth/token")]
        for refusal in refusals:
            assert (refusal.status_code, refusal.json()["code"]) == (429, "rate_limited")
            assert refusal.headers["retry-after"] == "1"
        for path in ("/healthz", "/docs", "/openapi.json"):
            assert client.get(path).status_code == 200
