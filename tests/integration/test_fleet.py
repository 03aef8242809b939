"""Statistics across devices on the real Postgres: they are what numpy makes of all devices' raw events."""

import threading
from dataclasses import replace

import numpy as np
import psycopg
import pytest

from aggregation_service import fleet, fleet_store
from aggregation_service.statistics_store import changing
from shared.statistics import Partials, merge
from tests.across import (
    LEVELS,
    At,
    Stopped,
    across,
    complete,
    fingerprint,
    forget,
    judged,
    of_devices,
    run_without,
    step,
    stop,
)
from tests.aggregated import DAY, DAY_S, Event, put_now, rows, run, steady
from tests.pipeline import wait_for
from tests.servers import Database


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is stale is made again in one run, however busy the machine is."""
    monkeypatch.setattr(fleet, "_AGAIN_S", 60.0)


def test_rows_across_devices_are_kept_at_every_level(database: Database) -> None:
    events = [*steady(30, range(100, 4_000, 3)), ("lone", DAY + 5, {"c": 2.5}), ("lone", DAY + DAY_S, {"a": 1.0})]
    put_now(database, events)
    run(database)
    assert judged(database) == {60: 2 * 66 + 2, 3_600: 2 * 2 + 2, 86_400: 2 + 2}
    assert [complete(database, level)[0] for level in LEVELS] == [float("-inf")] * 3
    assert rows(
        database, "SELECT count(*) FROM fleet_until f JOIN materialized m USING (level) WHERE f.until <> m.until"
    ) == [(0,)]


def test_a_row_is_the_merge_of_the_devices_rows_byte_for_byte(database: Database) -> None:
    put_now(database, steady(20, range(0, 7_200, 2)))
    run(database)
    for level in LEVELS:
        parts = of_devices(database, level)
        wanted = merge([parts.take(np.arange(len(parts)))])
        wanted = merge([Partials(**{**_columns(wanted), "device": np.zeros_like(wanted.device)})])
        stored = across(database, level)
        for name, column in _columns(wanted).items():
            assert getattr(stored, name).tobytes() == column.tobytes(), name


def _columns(rows_of: Partials) -> dict[str, np.ndarray]:
    return {name: getattr(rows_of, name) for name in Partials.__dataclass_fields__}


def test_bytes_do_not_depend_on_the_pieces(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    put_now(database, steady(20, range(0, 7_200, 5)))
    run(database)
    before = fingerprint(database)
    for points, chunk in ((1, 1), (50_000, 30_000)):
        monkeypatch.setattr(fleet, "_POINTS", points)
        monkeypatch.setattr(fleet_store, "_CHUNK_BYTES", chunk)
        forget(database)
        step(database)
        assert fingerprint(database) == before


def test_a_fleet_that_is_larger_than_a_share(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_store, "_SHARES", fleet_store._SHARES.replace(f"/ {fleet_store.SHARE}", "/ 4"))
    put_now(database, steady(30, range(0, 3_600, 2)))
    run(database)
    assert judged(database) == {60: 2 * 60, 3_600: 2, 86_400: 2}


def test_late_data_makes_rows_stale_until_they_are_made_again(database: Database) -> None:
    put_now(database, steady(5, range(0, 7_200, 5)))
    run(database)
    late: list[Event] = [("dev-1", DAY + 65.5, {"a": 1e6, "b": 0.0}), ("new", DAY + 200, {"a": 7.0, "z": 1.0})]
    put_now(database, late)
    with pytest.raises(AssertionError):
        judged(database)  # the late events are raw only: a question reads them there, as their minutes are dirty
    run(database)
    assert rows(database, "SELECT count(*) FROM fleet_stale") == [(0,)]
    assert judged(database) == {60: 2 * 120 + 1, 3_600: 2 * 2 + 1, 86_400: 3}
    assert rows(database, "SELECT level, sum(late)::int8 FROM fleet_stats WHERE late > 0 GROUP BY 1 ORDER BY 1") == [
        (level, 4) for level in LEVELS
    ]


def test_what_is_stale_waits_while_late_data_does(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    put_now(database, steady(5, range(0, 600, 5)))
    run(database)
    put_now(database, [("dev-1", DAY + 65.5, {"a": 1e6})])
    run_without(database, monkeypatch)
    before = fingerprint(database)
    assert rows(database, "SELECT level FROM fleet_stale ORDER BY 1") == [(level,) for level in LEVELS]
    registry = step(database, late=True)
    assert registry.get_sample_value("aggregation_fleet_stale_rows") == 3
    assert fingerprint(database) == before
    assert judged(database) == {60: 2 * 10, 3_600: 2, 86_400: 2}
    registry = step(database)
    assert registry.get_sample_value("aggregation_fleet_stale_rows") == 0
    assert 0 < (registry.get_sample_value("aggregation_fleet_age_seconds", {"level": "60"}) or 0) < 3_600
    assert rows(database, "SELECT count(*) FROM fleet_stale") == [(0,)]
    assert judged(database) == {60: 2 * 10, 3_600: 2, 86_400: 2}
    assert fingerprint(database) != before


def test_a_row_of_a_metric_that_came_late_only_is_added(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    put_now(database, steady(2, range(0, 600, 5)))
    run(database)
    put_now(database, [("new", DAY + 65.5, {"z": 1.0})])
    run_without(database, monkeypatch)
    assert judged(database)[60] == 2 * 10
    step(database)
    assert judged(database)[60] == 2 * 10 + 1


def test_history_goes_backwards(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    put_now(database, steady(3, range(0, 3 * 3_600, 30)) + steady(1, range(60), day=DAY - 40 * DAY_S))
    run_without(database, monkeypatch)
    monkeypatch.setattr(fleet, "_POINTS", 400)
    begins: list[float] = []
    while not begins or begins[-1] > float("-inf"):
        ended = threading.Event()
        step(database, At("aggregation.fleet.before_commit", ended.set, 12), ended=ended)
        judged(database)
        begins.append(min(complete(database, level)[0] for level in LEVELS))
    assert begins == sorted(begins, reverse=True)
    assert len(begins) >= 3
    step(database)
    assert judged(database) == {60: 2 * 181, 3_600: 2 * 4, 86_400: 4}


def test_killed_between_steps_nothing_is_wrong_and_the_next_run_ends_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_now(database, steady(4, range(0, 900, 3)))
    run(database)
    put_now(database, [("dev-2", DAY + 65.5, {"a": 1e6})])
    run(database)
    wanted = fingerprint(database)
    forget(database)
    monkeypatch.setattr(fleet, "_POINTS", 1)
    for name in ("aggregation.fleet.before_write", "aggregation.fleet.before_commit"):
        for nth in (1, 2, 3):
            with pytest.raises(Stopped):
                step(database, At(name, stop, nth))
            judged(database)
    step(database)
    assert fingerprint(database) == wanted


def test_a_change_that_comes_while_a_row_is_made_waits_and_makes_it_stale_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_now(database, steady(4, range(0, 300, 3)))
    run(database)
    put_now(database, [("dev-0", DAY + 0.5, {"a": 5.0})])
    run_without(database, monkeypatch)
    changer = threading.Thread(target=change_a_row, args=[database])

    def begin() -> None:
        changer.start()
        wait_for(lambda: rows(database, _WAITS) != [], "the change waits for the row across devices")

    third = At("aggregation.fleet.before_write", begin, 3)  # a day's row and an hour's come first
    step(database, third, once=True)
    changer.join(30)
    assert not changer.is_alive()
    assert rows(database, "SELECT level, name FROM fleet_stale JOIN metrics m ON m.id = metric") == [(60, "a")]
    assert rows(database, _DIFFERENT) == [(60,)]
    step(database)
    assert rows(database, _DIFFERENT) == []


_WAITS = """
SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE fleet_until%'
    AND datname = current_database()
"""


_DIFFERENT = """
SELECT level FROM fleet_stats f
WHERE count <> (SELECT sum(count) FROM stats s WHERE (s.level, s.metric, s.bucket) = (f.level, f.metric, f.bucket))
"""


def change_a_row(database: Database) -> None:
    """The first minute of a device's `a` gets the statistics of its next one, which has a reading less."""
    with database.connect() as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with changing(connection) as change:
            parts = of_devices(database, 60)
            first, second = parts.take(np.array([0])), parts.take(np.array([1]))
            change.replace({60: replace(second, bucket=first.bucket)})


def test_a_wrong_row_that_is_not_stale_is_noticed(database: Database) -> None:
    """The test of the tests above."""
    put_now(database, steady(3, range(0, 600, 5)))
    run(database)
    judged(database)
    for wrong in ("SET count = count + 1", "SET max = max + 1", "SET sum = sum * 1.0001"):
        with database.connect(autocommit=False) as connection:
            connection.execute(f"UPDATE fleet_stats {wrong} WHERE level = 60")
            connection.commit()
        with pytest.raises(AssertionError):
            judged(database)
        forget(database)
        step(database)
        judged(database)
