"""/stats with group=none equals numpy on the readings of all devices, whatever there is of statistics across them."""

import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from aggregation_service.fleet import Fleet
from api_service.query import fleet
from tests.across import run_without
from tests.aggregated import rows, run
from tests.integration.api_service.test_stats import SHAPES, START, Event, check, edges, events, expected, get
from tests.integration.api_service.warehouse import MICROS, Warehouse, at
from tests.pipeline import wait_for
from tests.servers import Database

Serve = Callable[..., httpx.Client]
MINUTE = 60 * MICROS
SPAN = {"from": "2025-03-29T00:01:00Z", "to": "2025-03-31T05:00:30Z"}


def run_until_made_again(database: Database) -> None:
    """A run makes some of what is stale again, for a while."""

    def done() -> bool:
        run(database)
        return rows(database, "SELECT count(*) FROM fleet_stale") == [(0,)]

    wait_for(done, "everything stale is made again")


def late_events() -> list[Event]:
    """Of two devices on three hours, and of one that is new, with a metric that no other sends."""
    made: list[Event] = [("ward-1", START + n * 17 * MINUTE + 7, {"temp": 40.0 + n, "steps": 1.0}) for n in range(9)]
    made += [("icu_1", START + n * 31 * MINUTE + 9, {"temp": 30.0 - n}) for n in range(5)]
    return [*made, ("new", START + 26 * 60 * MINUTE, {"glucose": 5.5})]


def judged(warehouse: Warehouse, client: httpx.Client) -> None:
    """All shapes of questions: each row is numpy's, and says what the devices' rows say."""
    for start, end, bucket, step, tz in SHAPES:
        asked = {"from": start, "to": end, "bucket": bucket, "tz": tz, "limit": 10_000}
        bounds = edges(at(start), at(end), step, tz)
        wanted = expected(warehouse, at(start), at(end), bounds, fleet=True)
        found = {(None, row["metric"], at(row["start"])): row for row in get(client, **asked, group="none")["rows"]}
        assert list(found) == sorted(wanted, key=str), (start, bucket)
        own: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for row in get(client, **asked)["rows"]:
            own.setdefault((None, row["metric"], at(row["start"])), []).append(row)
        for key, row in found.items():
            check(row, wanted[key])
            assert row["late"] == sum(one["late"] for one in own[key]), key
            assert row["final"] == all(one["final"] for one in own[key]), key


def test_rows_equal_numpy_in_every_state(
    database: Database, warehouse: Warehouse, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve()
    warehouse.add(events())
    judged(warehouse, client)  # nothing is stored
    run_without(database, monkeypatch)
    judged(warehouse, client)  # stored, but not across devices
    run(database)
    judged(warehouse, client)  # stored
    warehouse.add_late(late_events())
    judged(warehouse, client)  # late data waits
    run_without(database, monkeypatch)
    assert rows(database, "SELECT count(*) > 20 FROM fleet_stale") == [(True,)]
    judged(warehouse, client)  # stale
    warehouse.add_late([(device, ts + 1, readings) for device, ts, readings in late_events()[::2]])
    judged(warehouse, client)  # stale, and late data waits
    run_until_made_again(database)
    judged(warehouse, client)


def test_history_that_is_not_done_is_read_of_the_devices(
    database: Database, warehouse: Warehouse, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "_CELLS", 40)  # so that it is read in many pieces
    warehouse.add(events())
    run(database)
    client = serve()
    for level, since in ((60, "2025-03-30T11:59Z"), (3_600, "2025-03-30T03:00Z"), (86_400, "2025-03-30T00:00Z")):
        warehouse.connection.execute("UPDATE fleet_until SET since = %s WHERE level = %s", [since, level])
        warehouse.connection.execute("DELETE FROM fleet_stats WHERE level = %s AND bucket < %s", [level, since])
        judged(warehouse, client)


def test_only_who_sees_all_devices_reads_statistics_across_them(
    database: Database, warehouse: Warehouse, serve: Serve
) -> None:
    """They are spoilt here, so that who reads them shows; and it shows that the tests above could fail."""
    warehouse.add(events())
    run(database)
    asked = {**SPAN, "bucket": "none", "group": "none", "metric": "temp"}
    everybody, ward = serve(), serve("ward")
    (before,) = get(everybody, **asked)["rows"]
    (of_ward,) = get(ward, **asked)["rows"]
    (of_one,) = get(everybody, **asked, device_id="ward-1")["rows"]
    warehouse.connection.execute("UPDATE fleet_stats SET count = count + 1000")
    assert get(ward, **asked)["rows"] == [of_ward]
    assert get(everybody, **asked, device_id="ward-1")["rows"] == [of_one]
    (after,) = get(everybody, **asked)["rows"]
    assert after["count"] > before["count"] + 1000
    with pytest.raises(AssertionError):
        judged(warehouse, everybody)
    warehouse.connection.execute("INSERT INTO fleet_stale SELECT level, metric, bucket FROM fleet_stats")
    judged(warehouse, everybody)


def test_a_metric_that_is_behind_leaves_the_others_as_they_are(
    database: Database, warehouse: Warehouse, serve: Serve
) -> None:
    warehouse.add(events())
    run(database)
    client, asked = serve(), {**SPAN, "bucket": "1h", "group": "none"}
    steps = [row for row in get(client, **asked)["rows"] if row["metric"] == "steps"]
    warehouse.connection.execute(
        "UPDATE fleet_stats SET count = count + 1000 WHERE metric = %s", [warehouse.metrics["temp"]]
    )
    warehouse.connection.execute(
        "INSERT INTO fleet_stale SELECT level, metric, bucket FROM fleet_stats WHERE metric = %s",
        [warehouse.metrics["temp"]],
    )
    judged(warehouse, client)
    assert [row for row in get(client, **asked)["rows"] if row["metric"] == "steps"] == steps


def test_late_events_that_commit_while_rows_are_made_are_in_the_answer(
    database: Database, warehouse: Warehouse, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.add(events())
    client, ended = serve(), threading.Event()
    replaced = Fleet._extend

    def extend(self: Fleet, *args: Any) -> Any:
        if not ended.is_set():
            ended.set()
            warehouse.add_late(late_events())
        return replaced(self, *args)

    monkeypatch.setattr(Fleet, "_extend", extend)
    run(database)
    assert ended.is_set()
    judged(warehouse, client)
    run(database)
    judged(warehouse, client)


def test_a_question_costs_as_much_as_there_are_rows_across_devices(
    database: Database, warehouse: Warehouse, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.add(events())
    run_without(database, monkeypatch)
    client, asked = serve(stats_max_cells=150), {**SPAN, "bucket": "none", "group": "none", "metric": "temp"}
    assert client.get("/stats", params=asked).status_code == 422
    run(database)
    assert client.get("/stats", params=asked).status_code == 200


@pytest.mark.parametrize("limit", [1, 7])
def test_pages_together_are_the_whole_answer(
    database: Database, warehouse: Warehouse, serve: Serve, limit: int
) -> None:
    warehouse.add(events())
    run(database)
    warehouse.add_late(late_events())
    asked = {"from": "2025-03-29T00:00:10Z", "to": "2025-03-29T12:40:00Z", "bucket": "3h", "group": "none"}
    client = serve()
    whole, paged = get(client, **asked, limit=10_000)["rows"], []
    answer = get(client, **asked, limit=limit)
    paged += answer["rows"]
    while answer["next_cursor"]:
        answer = get(client, cursor=answer["next_cursor"], limit=limit)
        paged += answer["rows"]
    assert paged == whole
