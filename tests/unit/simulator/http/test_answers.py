"""What an answer means for the events that were sent."""

import json
from collections import Counter

import pytest

from simulator.http.answers import Again, Answer, Outcome, Refused, Settled, TooLarge, Unauthorized, judge

URL = "http://api"


def answer(status: int, document: object = None, retry_after: str | None = None, events: int = 3) -> Outcome:
    body = b"<html>" if document is None else json.dumps(document).encode()
    return judge(Answer(URL, status, retry_after, body), events, 1_795_000_000.0)


def test_accepted_with_some_rejected_is_final() -> None:
    rejected = [{"index": 1, "code": "bad_metric", "detail": "…"}]
    told = answer(202, {"accepted": 2, "rejected": rejected, "receipt": "r"})
    assert told == Settled(2, Counter({"bad_metric": 1}))


@pytest.mark.parametrize("document", [None, [], {"accepted": "3"}, {"accepted": 2}, {"accepted": 4, "rejected": []}])
def test_accepted_with_figures_that_don_t_add_up_is_sent_again(document: object) -> None:
    assert answer(202, document) == Again("an answer that doesn't add up")


def test_none_good_is_final_for_each() -> None:
    rejected = [{"index": n, "code": code} for n, code in enumerate(["malformed", "bad_metric", "malformed"])]
    assert answer(422, {"status": 422, "rejected": rejected}) == Settled(0, Counter(malformed=2, bad_metric=1))


@pytest.mark.parametrize("status", [400, 422])
def test_a_bad_request_is_final_as_a_whole(status: int) -> None:
    assert answer(status, {"code": "malformed"}, events=1) == Settled(0, Counter(malformed=1))
    assert answer(status, {"detail": "no"}) == Settled(0, Counter({f"http_{status}": 3}))
    assert answer(status) == Settled(0, Counter({f"http_{status}": 3}))


def test_too_large_is_sent_in_parts_until_it_is_one_event() -> None:
    assert answer(413) == TooLarge()
    assert answer(413, events=1) == Settled(0, Counter(too_large=1))


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 599])
def test_what_may_pass_is_sent_again_and_may_have_been_taken(status: int) -> None:
    assert answer(status) == Again(f"HTTP {status}")
    assert answer(status, retry_after="7") == Again(f"HTTP {status}", 7.0)


def test_over_the_rate_is_sent_again_to_the_same_api_and_was_not_taken() -> None:
    assert answer(429, retry_after="2") == Again("HTTP 429", 2.0, throttled=True, unknown=False)


def test_another_token_helps_with_401_and_nothing_with_403() -> None:
    assert answer(401) == Unauthorized()
    assert isinstance(answer(403, {"code": "insufficient_scope"}), Refused)
    assert isinstance(answer(403, events=1), Refused)


def test_a_single_event_of_a_device_that_isn_t_the_token_s_is_rejected() -> None:
    assert answer(403, {"code": "forbidden_device"}, events=1) == Settled(0, Counter(forbidden_device=1))


@pytest.mark.parametrize("status", [200, 204, 301, 307, 404, 405, 415, 418])
def test_what_is_no_api_stops_with_a_message_that_names_the_fix(status: int) -> None:
    told = answer(status)
    assert isinstance(told, Refused)
    assert URL in told.message
    assert "→" in told.message
