"""The corpus through HTTP and through Kafka: the same code for the same bytes, and the same rows."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from api_service.gateway import items
from api_service.gateway.items import JSON, NDJSON
from api_service.problems import Problem
from tests import servers
from tests.answering import answering, api_settings
from tests.corpus import BAD, GOOD, Bad, Good
from tests.pipeline import assert_accounts, ingest, produce, wait_for
from tests.servers import Database, Topics

# Of the corpus's clock, which stands still.
AHEAD = "timestamp_in_future: 301 s"
CASES: list[Bad | Good] = [*GOOD, *(case for case in BAD if case.name != AHEAD)]


def code(case: Bad | Good) -> str | None:
    return case.code if isinstance(case, Bad) else None


def fits(case: Bad | Good, form: str) -> bool:
    """Whether it can be one item of several: a line without a line's end, an element that closes what it opens."""
    if form == NDJSON:
        return b"\n" not in case.value and case.value.strip() != b""
    try:
        return [value.strip() for value in items.split(b"[0," + case.value + b"]", JSON, 9).values[1:]] == [
            case.value.strip()
        ]
    except Problem:
        return False


@dataclass(frozen=True)
class Way:
    """A pipeline that the corpus went through."""

    topics: Topics
    database: Database

    def rows(self) -> list[Any]:
        """Every event, as it is stored."""
        with self.database.connect() as connection:
            return connection.execute(
                "SELECT d.device_id, e.ts, l.metrics, e.values::text, e.extras::text FROM events e"
                " JOIN devices d ON d.id = e.device JOIN layouts l ON l.id = e.layout ORDER BY 1, 2, 3"
            ).fetchall()

    def letters(self) -> dict[bytes, str]:
        """The code of each dead letter."""
        with self.database.connect() as connection:
            return dict(connection.execute("SELECT value, code FROM dead_letters").fetchall())


@pytest.fixture(scope="module")
def ways(stack: Mapping[str, str]) -> Iterator[tuple[Way, Way]]:
    with ExitStack() as made:
        one, other = (
            Way(made.enter_context(servers.fresh_topics(stack, 2)), made.enter_context(servers.database(stack)))
            for _ in range(2)
        )
        yield one, other


@pytest.fixture(scope="module")
def client(ways: tuple[Way, Way], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The API before the first of the two."""
    own = {name.lower(): value for name, value in ways[0].topics.environment().items()}
    own["api_modules"] = "auth,gateway"
    settings = api_settings(ways[0].database, tmp_path_factory.mktemp("api")).model_copy(update=own)
    with answering(settings) as made:
        wait_for(lambda: made.get("/readyz").status_code == 200, "an API that is ready")
        yield made


def send(client: httpx.Client, body: bytes, kind: str) -> httpx.Response:
    return client.post("/ingest", content=body, headers={"Content-Type": kind})


@pytest.mark.parametrize("form", [JSON, NDJSON])
def test_each_case_in_a_batch_has_its_code_and_the_others_are_taken(client: httpx.Client, form: str) -> None:
    cases = [case for case in CASES if fits(case, form)]
    assert len(cases) > 0.85 * len(CASES)
    # Eight MiB hold not more than one that is too large.
    body = b"\n".join(case.value for case in cases) if form == NDJSON else None
    answer = send(client, body or b"[" + b" , ".join(case.value for case in cases) + b"]", form)
    assert answer.status_code == 202, answer.text
    expected = {number: code(case) for number, case in enumerate(cases) if code(case)}
    assert {each["index"]: each["code"] for each in answer.json()["rejected"]} == expected
    assert answer.json()["accepted"] == len(cases) - len(expected)


def test_each_case_alone(client: httpx.Client) -> None:
    wrong = {}
    for case in CASES:
        if case.value.lstrip()[:1] == b"[":
            continue  # which is no single event
        answer = send(client, case.value, JSON)
        expected = {None: 202, "malformed": 400}.get(code(case), 422)
        if (answer.status_code, answer.json().get("code")) != (expected, code(case)):
            wrong[case.name] = (answer.status_code, answer.text)
    assert wrong == {}


def test_http_and_kafka_come_to_the_same(ways: tuple[Way, Way], client: httpx.Client) -> None:
    http, plain = ways
    good = [case for case in GOOD if fits(case, JSON)]
    assert len(good) == len(GOOD)
    assert send(client, b"[" + b",".join(case.value for case in good) + b"]", JSON).status_code == 202
    ingest(http.topics, http.database)
    # The broker takes none that is too large.
    bad = [case for case in BAD if case.name != AHEAD and case.code != "too_large"]
    keys: list[bytes | None] = [case.device.encode() for case in good]
    values = [case.value for case in good] + [case.value for case in bad]
    produce(plain.topics, values, [*keys, *(None for _ in bad)])
    ingest(plain.topics, plain.database)
    assert plain.letters() == {case.value: case.code for case in bad}
    assert http.letters() == {}, "what the gateway takes, the consumer takes"
    assert http.rows() == plain.rows()
    assert assert_accounts(http.database)["persisted"] == len(
        {(c.device, c.at, tuple(sorted(c.metrics))) for c in GOOD}
    )
