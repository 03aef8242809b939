"""Rates: of a token's subject, and of an address before anybody looks at its token; by events, not by requests."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests import servers
from tests.integration.api_service.security.door import Door, Route, event, opened
from tests.pipeline import wait_for
from tests.servers import Database, Topics

Note = Callable[[str, str], None]
SUBJECT, ADDRESS = 5, 30


@pytest.fixture(scope="module")
def topics(stack: Mapping[str, str]) -> Iterator[Topics]:
    with servers.fresh_topics(stack, 2) as made:
        yield made


@pytest.fixture(scope="module")
def door(filled: Database, topics: Topics, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """An API that limits subjects."""
    with opened(filled, topics, tmp_path_factory.mktemp("door"), RATE_LIMIT_EVENTS_PER_SECOND=SUBJECT) as made:
        yield made


@pytest.fixture(scope="module")
def gate(filled: Database, topics: Topics, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """An API that limits addresses."""
    with opened(filled, topics, tmp_path_factory.mktemp("gate"), RATE_LIMIT_ADDRESS_PER_SECOND=ADDRESS) as made:
        wait_for(lambda: made.ask(ingest(made), "garbage").status_code == 401, "room after its start")
        yield made


def ingest(door: Door) -> Route:
    return next(route for route in door.routes if route.name == "POST /ingest")


def limited(answers: list[httpx.Response]) -> list[httpx.Response]:
    found = [answer for answer in answers if answer.status_code == 429]
    for answer in found:
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["code"] == "rate_limited"
    return found


def test_a_subject_over_its_rate_is_told_when_to_come_again_and_others_are_not(door: Door, note: Note) -> None:
    for route in door.guarded:
        busy = door.token(sub=f"busy at {route.name}")
        answers = [door.ask(route, busy) for _ in range(SUBJECT * 4)]
        assert limited(answers), route
        assert answers[0].status_code != 429, route
        assert door.ask(route, door.token(sub=f"calm at {route.name}")).status_code != 429, route
        note("over the rate, per subject", "429 with Retry-After; another subject is served")


def test_a_batch_counts_by_its_events(door: Door, note: Note) -> None:
    token = door.token(sub="batches")
    batch = b"[" + b",".join([event("prober-1")] * SUBJECT * 3) + b"]"
    headers = {"Content-Type": "application/json"}
    assert door.ask(ingest(door), token, content=batch, headers=headers).status_code == 202
    answer = door.ask(ingest(door), token, content=event("prober-1"), headers=headers)
    assert limited([answer])
    assert 2 <= int(answer.headers["retry-after"]) <= 4
    note("over the rate, by events", f"a batch of {SUBJECT * 3} at {SUBJECT}/s is paid off: 429 with Retry-After")


def test_garbage_tokens_count_by_their_address(gate: Door, note: Note) -> None:
    route = ingest(gate)
    right = [gate.token(sub=f"neighbour {number}") for number in range(ADDRESS * 4)]

    def ask(number: int) -> httpx.Response:
        return gate.ask(route, right[number // 4] if number % 4 == 0 else "garbage")

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(ADDRESS * 16)))
    assert {answer.status_code for answer in answers[1::4]} == {401, 429}
    assert {answer.status_code for answer in answers[::4]} == {202, 429}, "of the same address, whoever they are"
    assert limited(answers)
    assert gate.client.get("/healthz").status_code == 200
    assert gate.client.get("/readyz").status_code == 200
    note("over the rate, per address before authentication", "401, then 429 with Retry-After; health routes are served")


def test_an_address_is_the_peers_whatever_headers_say(gate: Door, note: Note) -> None:
    """Without TRUSTED_PROXIES nobody can pass for many."""

    def ask(number: int) -> httpx.Response:
        where = f"10.{number // 250}.{number % 250}.1"
        names = {"X-Forwarded-For": where, "Forwarded": f"for={where}", "X-Real-IP": where}
        return gate.ask(ingest(gate), "garbage", headers=names)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(ADDRESS * 10)))
    assert limited(answers)
    note("over the rate, per address before authentication", "the same with forged X-Forwarded-For")


def test_guessing_secrets_counts_by_its_address(gate: Door, note: Note) -> None:
    def guess(number: int) -> httpx.Response:
        form = {"grant_type": "client_credentials", "client_id": "all", "client_secret": f"guess {number}"}
        return gate.client.post("/auth/token", data=form)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(guess, range(ADDRESS * 10)))
    assert {answer.status_code for answer in answers} <= {401, 429}
    assert limited(answers)
    note("over the rate, per address before authentication", "the same of /auth/token")
