"""What is kept, in the service and at the client, is never more than what the database says."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from prometheus_client import CollectorRegistry

from api_service.query.memory import Memory, Shape, Shelf
from api_service.settings import ApiSettings
from tests import aggregated
from tests.answering import answering
from tests.integration.api_service.warehouse import MICROS, Warehouse, at
from tests.servers import Database

Serve = Callable[..., httpx.Client]

HOUR = 3_600 * MICROS
START = at("2025-05-01T00:00:00")
ASKED = {"device_id": "a", "from": "2025-05-01T00:00:00Z", "to": "2025-05-01T06:00:00Z", "bucket": "1h"}


@pytest.fixture
def hours(warehouse: Warehouse) -> Warehouse:
    """Six hours of two devices, stored."""
    warehouse.add(
        [(device, START + minute * 60 * MICROS, {"m": float(minute)}) for device in "ab" for minute in range(360)]
    )
    warehouse.store(START + 6 * HOUR)
    return warehouse


def counts(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [row["count"] for row in answer.json()["rows"]]


def test_the_metrics_tell_what_was_remembered_and_which_way_questions_went(
    hours: Warehouse, settings: ApiSettings
) -> None:
    registry = CollectorRegistry()

    def told(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    with answering(settings, registry=registry) as client:
        for _ in range(2):
            assert counts(client.get("/stats", params=ASKED)) == [60] * 6
        assert counts(client.get("/stats", params={**ASKED, "group": "none"})) == [60] * 6
        assert told("plumbline_api_questions_total", way="desk") == 2
        assert told("plumbline_api_questions_total", way="walk") == 1
        assert told("plumbline_api_rows_total", source="database") == 6
        assert told("plumbline_api_rows_total", source="memory") == 6
        assert (told("plumbline_api_memory_bytes") or 0) > 6 * 100
        assert told("plumbline_api_requests_total", method="GET", route="/stats", status="503") == 0


def test_a_late_event_is_in_the_next_answer_before_and_after_it_is_stored(
    hours: Warehouse, serve: Serve, database: Database
) -> None:
    client = serve()
    assert counts(client.get("/stats", params=ASKED)) == [60] * 6
    first = client.get("/stats", params=ASKED)
    hours.add_late([("a", START + HOUR + 1, {"m": 1e6})])
    dirty = client.get("/stats", params=ASKED)
    assert counts(dirty) == [60, 61, 60, 60, 60, 60]
    assert [row["final"] for row in dirty.json()["rows"]] == [True, False, True, True, True, True]
    aggregated.run(database)
    stored = client.get("/stats", params=ASKED)
    assert counts(stored) == [60, 61, 60, 60, 60, 60]
    assert stored.json()["rows"][1]["max"] == 1e6
    assert all(row["final"] for row in stored.json()["rows"])
    assert len({answer.headers["ETag"] for answer in (first, dirty, stored)}) == 3


def test_only_the_buckets_that_late_data_waits_in_are_read_again(
    hours: Warehouse, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    keep = Memory.keep

    def noted(self: Memory, shelf: Shelf, start: int, row: bytes) -> None:
        kept.append((start - START) // HOUR)
        keep(self, shelf, start, row)

    monkeypatch.setattr(Memory, "keep", noted)
    client = serve()
    hours.add_late([("a", START + 2 * HOUR + 1, {"m": 0.5}), ("a", START + 3 * HOUR + 1, {"m": 0.5})])
    for _ in range(2):
        assert counts(client.get("/stats", params=ASKED)) == [60, 60, 61, 61, 60, 60]
    assert kept == [0, 1, 4, 5]


def test_a_day_is_not_remembered_before_it_is_stored_itself(hours: Warehouse, serve: Serve) -> None:
    hours.add([("a", START + hour * HOUR, {"m": 1.0}) for hour in range(6, 30)])
    hours.connection.execute("TRUNCATE stats")
    hours.store(START + 30 * HOUR)
    hours.connection.execute("UPDATE materialized SET until = '2025-05-01' WHERE level = 86400")
    hours.connection.execute("UPDATE stats SET late = 3 WHERE level = 86400")  # what the day's own row says
    client = serve()
    day = {**ASKED, "to": "2025-05-02T00:00:00Z", "bucket": "1d"}
    assert [row["late"] for row in client.get("/stats", params=day).json()["rows"]] == [0]
    hours.connection.execute("UPDATE materialized SET until = '2025-05-02' WHERE level = 86400")
    assert [row["late"] for row in client.get("/stats", params=day).json()["rows"]] == [3]


def test_late_data_in_a_minute_that_the_range_cuts(hours: Warehouse, serve: Serve) -> None:
    client = serve()
    cut = {**ASKED, "from": "2025-05-01T01:00:30Z", "to": "2025-05-01T02:00:30Z", "bucket": "none"}
    for _ in range(2):
        assert counts(client.get("/stats", params=cut)) == [60]
    hours.add_late([("a", START + HOUR + 45 * MICROS, {"m": 0.5}), ("a", START + HOUR + 15 * MICROS, {"m": 0.5})])
    hours.add_late([("a", START + 2 * HOUR + 15 * MICROS, {"m": 0.5})])
    for _ in range(2):
        assert counts(client.get("/stats", params=cut)) == [62]


def test_without_revisions_a_stale_row_would_be_answered(
    hours: Warehouse, serve: Serve, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test of the test above."""
    shelf = Memory.shelf
    monkeypatch.setattr(Memory, "shelf", lambda self, shape, _revision: shelf(self, shape, 0))
    client = serve()
    client.get("/stats", params=ASKED)
    hours.add_late([("a", START + HOUR + 1, {"m": 1e6})])
    aggregated.run(database)
    assert counts(client.get("/stats", params=ASKED)) == [60] * 6


def test_rows_are_remembered_until_another_server_answers(
    hours: Warehouse, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[str, int]] = []
    keep = Memory.keep

    def noted(self: Memory, shelf: Shelf, start: int, row: bytes) -> None:
        kept.append((str(self.server), start))
        keep(self, shelf, start, row)

    monkeypatch.setattr(Memory, "keep", noted)
    client = serve()
    answers = [client.get("/stats", params=ASKED).json()["rows"] for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert [start for _, start in kept] == [START + hour * HOUR for hour in range(6)]
    hours.connection.execute("CREATE TABLE other (LIKE stats)")  # as if the schema were another one's
    hours.connection.execute("ALTER TABLE stats RENAME TO elsewhere")
    hours.connection.execute("ALTER TABLE other RENAME TO stats")
    hours.connection.execute("GRANT SELECT ON stats TO plumbline_api")
    assert client.get("/stats", params=ASKED).json()["rows"] == []
    assert len({server for server, _ in kept}) == 2


def test_a_client_that_has_the_answer_is_told_so(hours: Warehouse, serve: Serve) -> None:
    client = serve()
    for accept in ("application/json", "text/csv"):
        first = client.get("/stats", params=ASKED, headers={"Accept": accept})
        tag = first.headers["ETag"]
        for given in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
            again = client.get("/stats", params=ASKED, headers={"Accept": accept, "If-None-Match": given})
            assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
            assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
            assert again.headers["Vary"] == "Accept, Authorization"
        changed = client.get("/stats", params={**ASKED, "percentiles": "1"}, headers={"If-None-Match": tag})
        assert changed.status_code == 200
    hours.add_late([("a", START + 1, {"m": 0.5})])
    assert client.get("/stats", params=ASKED, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "private, max-age=60"),
        ({"device_id": ""}, "private, max-age=60"),
        ({"to": "2025-05-01T06:00:01Z"}, "private, no-cache"),
        ({"to": "now"}, "private, no-cache"),
        ({"from": "-800d"}, "private, no-cache"),
    ],
)
def test_only_what_is_over_may_be_shown_without_asking_again(
    hours: Warehouse, serve: Serve, changed: dict[str, str], expected: str
) -> None:
    asked = {name: value for name, value in {**ASKED, **changed}.items() if value}
    assert serve().get("/stats", params=asked).headers["Cache-Control"] == expected


def test_what_is_dirty_may_not_be_shown_without_asking_again(hours: Warehouse, serve: Serve) -> None:
    client = serve()
    hours.add_late([("a", START + 1, {"m": 0.5})])
    assert client.get("/stats", params=ASKED).headers["Cache-Control"] == "private, no-cache"
    assert client.get("/stats", params={**ASKED, "device_id": "b"}).headers["Cache-Control"] == "private, max-age=60"


def test_each_of_many_at_once_gets_its_own_answer(hours: Warehouse, serve: Serve) -> None:
    everyone, ward = serve(), serve("ward")

    def ask(number: int) -> tuple[int, list[str]]:
        client = ward if number % 5 == 4 else everyone
        device = "nobody" if number % 7 == 6 else "ab"[number % 2]
        hour = number % 4
        asked = {**ASKED, "device_id": device, "from": f"2025-05-01T{hour:02}:00:00Z"}
        answer = client.get("/stats", params=asked)
        rows = answer.json().get("rows", [])
        return answer.status_code, [f"{row['device_id']} {row['start'][11:13]}" for row in rows]

    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(ask, range(140)))
    for number, (status, rows) in enumerate(answers):
        if number % 5 == 4 or number % 7 == 6:
            assert (status, rows) == (404, [])
        else:
            assert (status, rows) == (200, [f"{'ab'[number % 2]} {hour:02}" for hour in range(number % 4, 6)])


def test_one_that_needs_too_much_is_refused_alone(hours: Warehouse, serve: Serve) -> None:
    hours.add([("big", START + second * MICROS, {"m": float(second)}) for second in range(20_000)])
    client = serve(stats_max_raw_bytes=256 * 1024)
    raw = {"from": "2025-05-01T00:00:00.5Z", "to": "2025-05-01T05:59:59.5Z", "bucket": "none"}
    hours.connection.execute("UPDATE materialized SET until = '-infinity'")

    def ask(device: str) -> int:
        return client.get("/stats", params={**raw, "device_id": device}).status_code

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, ["a", "big", "b", "a", "big", "b", "a", "b"])) == [
            200,
            422,
            200,
            200,
            422,
            *[200] * 3,
        ]


def test_a_question_that_is_answered_in_pages_has_the_same_rows(hours: Warehouse, serve: Serve) -> None:
    client = serve()
    asked = {**ASKED, "bucket": "15m", "fill": "null", "to": "2025-05-01T09:00:00Z"}
    whole = client.get("/stats", params=asked).json()["rows"]
    assert len(whole) == 36
    rows: list[dict[str, object]] = []
    cursor = None
    while cursor is not None or not rows:
        page = client.get("/stats", params={"limit": 7, **({"cursor": cursor} if cursor else asked)}).json()
        rows += page["rows"]
        cursor = page["next_cursor"]
    assert rows == whole


def test_nothing_is_remembered_where_that_is_switched_off(
    hours: Warehouse, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Shape] = []
    shelf = Memory.shelf

    def noted(self: Memory, shape: Shape, revision: int) -> Shelf:
        found = shelf(self, shape, revision)
        reads.extend([shape] * (not found.rows))
        return found

    monkeypatch.setattr(Memory, "shelf", noted)
    client = serve(stats_cache_bytes=0)
    for _ in range(3):
        assert counts(client.get("/stats", params=ASKED)) == [60] * 6
    assert len(reads) == 3
