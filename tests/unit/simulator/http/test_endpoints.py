"""Which endpoint a request goes to, as a conversation: choose, tell how it went, choose again."""

from simulator.http.endpoints import Endpoints, Use, Wait

A, B = "http://a", "http://b"


def endpoints(*urls: str) -> Endpoints:
    """Whose waits are the longest that jitter allows: 0.1 s, 0.2 s, 0.4 s, …"""
    return Endpoints(urls, jitter=lambda seconds: seconds)


def test_while_all_is_well_the_first_gets_everything() -> None:
    both = endpoints(A, B)
    for _ in range(3):
        use = both.choose(0.0)
        assert use == Use(0)
        both.succeeded(use)
    assert (both.current, both.failed_over) == (0, 0)


def test_the_next_one_is_used_at_once_when_the_first_fails() -> None:
    both = endpoints(A, B)
    assert both.failed(Use(0), 0.0, None)
    assert both.choose(0.0) == Use(1)
    both.succeeded(Use(1))
    assert (both.current, both.failed_over) == (1, 1)


def test_one_request_tries_the_first_again_and_its_success_brings_all_back() -> None:
    both = endpoints(A, B)
    both.failed(Use(0), 0.0, None)
    trial = both.choose(0.1)
    assert trial == Use(0, trial=True, probe=True)
    assert both.choose(0.1) == Use(1)
    both.succeeded(trial)
    assert both.choose(0.1) == Use(0)
    assert both.failed_over == 0  # nothing was sent to the second one


def test_each_trial_that_fails_makes_the_next_rest_longer() -> None:
    both = endpoints(A, B)
    now = 0.0
    both.failed(Use(0), now, None)
    for rest in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0):
        assert both.choose(now + 0.99 * rest) == Use(1)
        now += 1.01 * rest
        trial = both.choose(now)
        assert trial == Use(0, trial=True, probe=True)
        both.failed(trial, now, None)


def test_requests_that_fail_together_count_once() -> None:
    one = endpoints(A)
    assert one.failed(Use(0), 0.0, None)
    assert not any(one.failed(Use(0), 0.0, None) for _ in range(7))
    assert one.choose(0.0) == Wait(0.1)


def test_with_one_endpoint_everybody_waits_while_one_request_tries() -> None:
    one = endpoints(A)
    one.failed(Use(0), 0.0, None)
    assert one.choose(0.0) == Wait(0.1)
    assert one.choose(0.1) == Use(0, trial=True)
    assert one.choose(0.1) == Wait(1.0)
    one.succeeded(Use(0, trial=True))
    assert one.choose(0.1) == Use(0)


def test_where_all_fail_the_one_that_rested_longest_is_tried_first() -> None:
    both = endpoints(A, B)
    both.failed(Use(0), 0.0, 5.0)
    both.failed(Use(1), 0.0, None)
    wait = both.choose(0.05)
    assert isinstance(wait, Wait)
    assert round(wait.seconds, 6) == 0.05
    assert both.choose(0.1) == Use(1, trial=True)


def test_retry_after_is_obeyed_while_another_endpoint_is_used() -> None:
    both = endpoints(A, B)
    both.failed(Use(0), 0.0, 5.0)
    assert both.choose(5.0) == Use(1)
    assert both.choose(5.1) == Use(0, trial=True, probe=True)


def test_a_later_failure_may_ask_for_a_longer_rest() -> None:
    one = endpoints(A)
    one.failed(Use(0), 0.0, None)
    one.failed(Use(0), 0.0, 7.0)
    assert one.choose(0.0) == Wait(7.1)


def test_one_that_asks_for_less_is_waited_for_not_passed_by() -> None:
    both = endpoints(A, B)
    both.failed(Use(0), 0.0, 2.0, throttled=True)
    assert both.choose(0.0) == Wait(2.1)
    trial = both.choose(2.1)
    assert trial == Use(0, trial=True)
    assert both.choose(2.1) == Wait(1.0)


def test_one_that_asked_for_less_and_then_failed_is_passed_by() -> None:
    both = endpoints(A, B)
    both.failed(Use(0), 0.0, 2.0, throttled=True)
    both.failed(Use(0, trial=True), 2.1, None)
    assert both.choose(2.1) == Use(1)


def test_what_was_under_way_when_the_first_came_back_is_no_failing_over() -> None:
    both = endpoints(A, B)
    both.failed(Use(0), 0.0, None)
    both.succeeded(Use(1))
    both.succeeded(Use(0, trial=True))
    both.succeeded(Use(1))
    assert (both.current, both.failed_over) == (0, 1)
