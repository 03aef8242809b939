"""/stats equals numpy on the same readings, whatever of them is stored, dirty or only raw."""

import csv
import io
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import numpy as np
import pytest

from tests.integration.api_service.warehouse import MICROS, Readings, Warehouse, at

Serve = Callable[..., httpx.Client]
Event = tuple[str, int, Readings]

MINUTE, HOUR = 60 * MICROS, 3_600 * MICROS
# Clocks in Berlin went from 02:00 to 03:00 on March 30.
START, END = at("2025-03-29T00:00:00"), at("2025-03-31T06:00:00")
DEVICES = ("ward-1", "ward-2", "icu_1")


def events(seed: int = 7) -> list[Event]:
    """Three devices, irregular times, a gap, one metric that only one of them sends."""
    rng = random.Random(seed)
    made: list[Event] = []
    for number, device in enumerate(DEVICES):
        ts = START + number * 777_777
        while ts < END:
            readings = {"temp": rng.gauss(36.6, 0.4), "steps": float(rng.randrange(10))}
            if number == 0:
                readings["spo2"] = 97 + rng.random()
            if not START + 5 * HOUR < ts < START + 7 * HOUR:
                made.append((device, ts, readings))
            ts += rng.randrange(12 * MICROS, 120 * MICROS)
    return made


@pytest.fixture
def filled(warehouse: Warehouse) -> Warehouse:
    """Stored up to some minutes before the end, with late events that are not in the statistics yet."""
    some = events()
    rng = random.Random(3)
    late = set(rng.sample(range(len(some)), 60))
    warehouse.add([event for number, event in enumerate(some) if number not in late])
    warehouse.store(at("2025-03-31T05:17:00"), late=0)
    before: list[Event] = []
    after: list[Event] = []
    for number in sorted(late):
        (before if some[number][1] < at("2025-03-31T05:17:00") else after).append(some[number])
    warehouse.add_late(before)
    warehouse.add(after)
    return warehouse


def edges(start: int, end: int, step: timedelta, tz: str) -> list[int]:
    """Bucket edges by the wall clock: a second way to say what shared.statistics.buckets does."""
    zone = ZoneInfo(tz)
    local = datetime.fromtimestamp(start / MICROS, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    if step == timedelta(days=7):
        local -= timedelta(days=local.weekday())
    found: list[int] = []
    while not found or found[-1] < end:
        found.append(round(local.timestamp() * MICROS))
        local += step
    while found[1] <= start:
        found.pop(0)
    return found


def expected(warehouse: Warehouse, start: int, end: int, bounds: list[int], fleet: bool) -> dict[tuple[Any, ...], Any]:
    """{(device, metric, bucket start): values}."""
    made: dict[tuple[Any, ...], list[float]] = {}
    for device, metric, ts, value in warehouse.readings:
        if start <= ts < end:
            bucket = bounds[int(np.searchsorted(bounds, ts, "right")) - 1]
            made.setdefault((None if fleet else device, metric, bucket), []).append(value)
    return {key: np.array(values) for key, values in made.items()}


def check(row: dict[str, Any], values: Any, percentiles: tuple[float, ...] = (50, 90, 95, 99)) -> None:
    assert row["count"] == len(values)
    assert (row["min"], row["max"]) == (values.min(), values.max())
    assert row["sum"] == pytest.approx(values.sum(), rel=1e-12)
    assert row["avg"] == pytest.approx(values.mean(), rel=1e-12)
    if len(values) == 1:
        assert row["stddev"] is None
    else:
        assert row["stddev"] == pytest.approx(values.std(ddof=1), rel=1e-9, abs=1e-12)
    error = row["max_rank_error"]
    assert row["method"] == ("sketch" if error else "exact")
    for percentile in percentiles:
        answer, slack = row[f"p{percentile:g}"], 1e-9
        low, high = np.percentile(values, [max(0, percentile - 100 * error), min(100, percentile + 100 * error)])
        assert low - slack <= answer <= high + slack


def get(client: httpx.Client, **params: Any) -> dict[str, Any]:
    answer = client.get("/stats", params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


SHAPES = [
    ("2025-03-29T00:00:00Z", "2025-03-31T06:00:00Z", "1h", timedelta(hours=1), "UTC"),
    ("2025-03-29T03:20:31.25Z", "2025-03-31T05:31:07Z", "1d", timedelta(days=1), "Europe/Berlin"),
    ("2025-03-29T03:20:31Z", "2025-03-31T05:59:59Z", "1d", timedelta(days=1), "Asia/Kolkata"),
    ("2025-03-29T00:00:00Z", "2025-03-31T06:00:00Z", "1w", timedelta(days=7), "Europe/Berlin"),
    ("2025-03-31T04:50:10Z", "2025-03-31T05:30:20Z", "1m", timedelta(minutes=1), "UTC"),
    ("2025-03-29T12:00:30Z", "2025-03-31T06:00:00Z", "15m", timedelta(minutes=15), "Asia/Kathmandu"),
    ("2025-03-29T00:00:00Z", "2025-03-31T00:00:00Z", "6h", timedelta(hours=6), "UTC"),
]


@pytest.mark.parametrize("fleet", [False, True])
def test_rows_equal_numpy(filled: Warehouse, serve: Serve, fleet: bool) -> None:
    client = serve()
    for start, end, bucket, step, tz in SHAPES:
        group = "none" if fleet else "device"
        answer = get(client, **{"from": start, "to": end}, bucket=bucket, tz=tz, limit=10_000, group=group)
        bounds = edges(at(start), at(end), step, tz)
        wanted = expected(filled, at(start), at(end), bounds, fleet)
        rows = {(row["device_id"], row["metric"], at(row["start"])): row for row in answer["rows"]}
        assert list(rows) == sorted(wanted, key=str if fleet else None), (start, bucket)
        assert answer["next_cursor"] is None
        for key, row in rows.items():
            check(row, wanted[key])
            assert at(row["end"]) == bounds[bounds.index(key[2]) + 1]


def test_one_row_of_the_whole_range_with_percentiles_of_choice(filled: Warehouse, serve: Serve) -> None:
    start, end = "2025-03-29T01:02:03.5Z", "2025-03-31T05:44:00Z"
    asked = {"from": start, "to": end, "bucket": "none", "device_id": "icu_1", "metric": "temp"}
    answer = get(serve(), **asked, percentiles="0,33.3,50.0,100")
    (row,) = answer["rows"]
    assert (row["start"], row["end"]) == ("2025-03-29T01:02:03.500000Z", end)
    assert [name for name in row if name.startswith("p")] == ["p0", "p33.3", "p50", "p100"]
    values = next(
        value
        for key, value in expected(filled, at(start), at(end), [at(start)], fleet=False).items()
        if key[:2] == ("icu_1", "temp")
    )
    check(row, values, (0, 33.3, 50, 100))
    assert (row["p0"], row["p100"]) == (row["min"], row["max"])
    assert row["method"] == "sketch"


def test_final_and_late(filled: Warehouse, serve: Serve) -> None:
    start, end = at("2025-03-29T00:00:00"), at("2025-03-31T06:00:00")
    answer = get(serve(), **{"from": start // MICROS, "to": end // MICROS}, bucket="1h", limit=10_000)
    cursor = filled.connection.execute(
        "SELECT d.device_id, m, p.bucket, p.events FROM dirty p JOIN devices d ON d.id = p.device "
        "JOIN layouts l ON l.id = p.layout CROSS JOIN unnest(l.metrics) m"
    )
    pending: dict[tuple[str, str, int], int] = {}
    for device, metric, bucket, count in cursor:
        key = (device, metric, round(bucket.timestamp()) * MICROS // HOUR * HOUR)
        pending[key] = pending.get(key, 0) + count
    assert pending
    for row in answer["rows"]:
        key = (row["device_id"], row["metric"], at(row["start"]))
        assert row["late"] == pending.get(key, 0)
        assert row["final"] == (at(row["end"]) <= at("2025-03-31T05:17:00") and key not in pending)


def test_late_readings_that_are_stored_are_told(warehouse: Warehouse, serve: Serve) -> None:
    first = at("2025-05-01T00:00:00")
    warehouse.add([("a", first + n * MINUTE + 1, {"m": float(n)}) for n in range(180)])
    warehouse.store(first + 180 * MINUTE, late=1)
    client = serve()
    hours = get(client, **{"from": "2025-05-01T00:00:00Z", "to": "2025-05-01T03:00:00Z"}, bucket="1h")["rows"]
    assert [row["late"] for row in hours] == [1, 1, 1]
    quarters = get(client, **{"from": "2025-05-01T00:00:00Z", "to": "2025-05-01T00:30:00Z"}, bucket="15m")["rows"]
    assert [row["late"] for row in quarters] == [15, 15]
    warehouse.add_late([("a", first + 7 * MINUTE + 2, {"m": 7.5})])
    (dirty, clean) = get(client, **{"from": "2025-05-01T00:00:00Z", "to": "2025-05-01T00:30:00Z"}, bucket="15m")["rows"]
    assert (dirty["late"], dirty["count"], dirty["final"]) == (16, 16, False)
    assert (clean["late"], clean["count"], clean["final"]) == (15, 15, True)


def test_the_live_tail_is_there_at_once(warehouse: Warehouse, serve: Serve) -> None:
    client = serve()
    row = warehouse.connection.execute("SELECT (extract(epoch FROM now()) * 1000000)::int8").fetchone()
    assert row is not None
    now = int(row[0])
    warehouse.add([("a", now - 90 * MICROS, {"m": 1.0})])
    warehouse.store(now - 60 * MICROS)
    warehouse.add([("a", now - 5 * MICROS, {"m": 2.0})])
    answer = get(client, **{"from": "-10m"}, bucket="none")
    assert [(row["count"], row["sum"], row["final"]) for row in answer["rows"]] == [(2, 3.0, False)]
    assert answer["to"] == answer["as_of"]


def test_fill_adds_rows_without_readings(warehouse: Warehouse, serve: Serve) -> None:
    warehouse.add([("a", at("2025-05-01T00:30:00"), {"m": 1.0}), ("a", at("2025-05-01T03:30:00"), {"m": 2.0})])
    warehouse.add([("b", at("2025-04-01T00:30:00"), {"m": 1.0})])
    asked = {"from": "2025-05-01T00:00:00Z", "to": "2025-05-01T04:00:00Z", "bucket": "1h", "metric": "m"}
    client = serve()
    rows = get(client, **asked, fill="null", device_id=["a", "b"])["rows"]
    assert [(row["device_id"], row["count"], row["avg"]) for row in rows] == [
        ("a", 1, 1.0), ("a", 0, None), ("a", 0, None), ("a", 1, 2.0), *[("b", 0, None)] * 4,
    ]  # fmt: skip
    assert rows[1]["method"] is rows[1]["p50"] is rows[1]["max_rank_error"] is None
    assert [row["count"] for row in get(client, **asked)["rows"]] == [1, 1]
    assert [row["count"] for row in get(client, **asked, fill="null", group="none")["rows"]] == [1, 0, 0, 1]


@pytest.mark.parametrize("limit", [1, 7, 100])
@pytest.mark.parametrize("group", ["device", "none"])
def test_pages_together_are_the_whole_answer(filled: Warehouse, serve: Serve, limit: int, group: str) -> None:
    asked = {"from": "2025-03-30T20:00:10Z", "to": "2025-03-31T05:40:00Z", "bucket": "3h", "group": group}
    client = serve()
    whole = get(client, **asked, limit=10_000)["rows"]
    paged, cursor = [], None
    for page in range(len(whole) + 2):
        # The question may be repeated or left out.
        params = {"limit": limit} | ({"cursor": cursor} if cursor else {}) | (asked if page % 2 == 0 else {})
        answer = get(client, **params)
        assert len(answer["rows"]) <= limit
        paged += answer["rows"]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert paged == whole


def test_relative_times_stay_put_while_pages_are_followed(warehouse: Warehouse, serve: Serve) -> None:
    row = warehouse.connection.execute("SELECT (extract(epoch FROM now()) * 1000000)::int8").fetchone()
    assert row is not None
    warehouse.add([("a", row[0] - n * MINUTE, {"m": 1.0}) for n in range(1, 30)])
    client = serve()
    first = get(client, **{"from": "-1h"}, bucket="1m", limit=10)
    second = get(client, **{"from": "-1h"}, bucket="1m", limit=10, cursor=first["next_cursor"])
    assert (second["from"], second["to"]) == (first["from"], first["to"])
    assert second["as_of"] > first["as_of"]
    starts = [row["start"] for row in first["rows"] + second["rows"]]
    assert all(before < after for before, after in pairwise(starts))


def test_a_small_budget_makes_pages_shorter_and_loses_nothing(filled: Warehouse, serve: Serve) -> None:
    asked = {"from": "2025-03-29T00:00:00Z", "to": "2025-03-31T05:00:00Z", "bucket": "15m"}
    whole = get(serve(), **asked, limit=10_000)["rows"]
    client = serve(stats_max_cells=300)
    paged, answer = [], get(client, **asked, limit=10_000)
    pages = 1
    paged += answer["rows"]
    while answer["next_cursor"]:
        answer = get(client, cursor=answer["next_cursor"], limit=10_000)
        paged += answer["rows"]
        pages += 1
    assert pages > 2
    assert paged == whole


def test_a_row_that_costs_too_much_is_refused_with_the_fix(filled: Warehouse, serve: Serve) -> None:
    asked = {"from": "2025-03-29T00:01:00Z", "to": "2025-03-31T05:00:00Z", "bucket": "none"}
    client = serve(stats_max_cells=10)
    answer = client.get("/stats", params=asked)
    assert answer.status_code == 422
    assert "fewer devices" in answer.json()["errors"][0]["detail"]
    client = serve(stats_max_raw_bytes=100)
    answer = client.get("/stats", params=asked)
    assert answer.status_code == 422
    assert client.get("/readyz").status_code == 200


def test_csv_has_the_same_rows_and_the_next_page_in_a_link(filled: Warehouse, serve: Serve) -> None:
    asked = {"from": "2025-03-30T22:00:00Z", "to": "2025-03-31T05:40:00Z", "bucket": "1h", "fill": "null"}
    client = serve()
    rows = get(client, **asked)["rows"]
    answer = client.get("/stats", params={**asked, "limit": 10}, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(answer.text)))
    while "next" in answer.links:
        answer = client.get(answer.links["next"]["url"], headers={"Accept": "text/csv"})
        table += csv.DictReader(io.StringIO(answer.text))

    def text(value: object) -> str:
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    assert table == [{name: text(value) for name, value in row.items()} for row in rows]


@pytest.mark.parametrize(
    ("accept", "status", "media"),
    [
        ("application/json;q=0.5, text/csv", 200, "text/csv"),
        ("text/*;q=0.2, application/*;q=0.1", 200, "text/csv"),
        ("*/*", 200, "application/json"),
        ("text/csv;q=0, */*", 200, "application/json"),
        ("text/html", 406, "application/problem+json"),
        ("application/json;q=0, text/csv;q=0", 406, "application/problem+json"),
    ],
)
def test_accept(warehouse: Warehouse, serve: Serve, accept: str, status: int, media: str) -> None:
    answer = serve().get("/stats", headers={"Accept": accept})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith(media)


def test_anothers_device_is_the_same_404_as_an_unknown_one(filled: Warehouse, serve: Serve) -> None:
    ward = serve("ward")
    unknown = ward.get("/stats", params={"device_id": "nobody"})
    other = ward.get("/stats", params={"device_id": "icu_1"})
    both = ward.get("/stats", params={"device_id": ["ward-1", "icu_1"]})
    assert unknown.status_code == other.status_code == both.status_code == 404
    assert unknown.content == other.content == both.content
    one, two = ward.get("/devices/nobody"), ward.get("/devices/icu_1")
    assert (one.status_code, one.content) == (two.status_code, two.content) == (404, one.content)
    asked = {"from": "2025-03-29T00:00:00Z", "to": "2025-03-31T00:00:00Z", "bucket": "none", "metric": "temp"}
    assert {row["device_id"] for row in get(ward, **asked)["rows"]} == {"ward-1", "ward-2"}
    fleet = get(ward, **asked, group="none")["rows"]
    assert fleet[0]["count"] == sum(row["count"] for row in get(ward, **asked)["rows"])


def test_values_at_the_limits_of_a_double(warehouse: Warehouse, serve: Serve) -> None:
    first = at("2025-05-01T00:00:00")
    warehouse.add([("a", first + n * MICROS, {"m": value}) for n, value in enumerate((1e308, 1.7e308, -0.0, 5e-324))])
    (row,) = get(serve(), **{"from": "2025-05-01T00:00:00Z", "to": "2025-05-01T01:00:00Z"}, bucket="none")["rows"]
    assert (row["min"], row["max"], row["sum"]) == (0.0, 1.7e308, None)
    assert row["stddev"] == pytest.approx(8.301606270274846e307, rel=1e-12)
    assert row["avg"] == pytest.approx(6.75e307)
