"""Late data in all its forms: worked in for the devices that it came from, and for nobody else."""

import threading

import numpy as np
import psycopg
import pytest
from prometheus_client import CollectorRegistry

from aggregation_service import repair
from aggregation_service.metrics import Metrics
from aggregation_service.statistics_store import changing
from aggregation_service.store import Store
from shared.failpoints import Failpoints
from shared.statistics import rollup
from tests.aggregated import DAY, DAY_S, TODAY, Event, put_now, rows, run, scheduler, steady, verified
from tests.pipeline import wait_for
from tests.servers import Database

READ = """
SELECT coalesce(sum(seq_tup_read), 0)::int8, coalesce(sum(idx_tup_fetch), 0)::int8 FROM pg_stat_user_tables
WHERE relname LIKE '{}%'
"""
MINE = "SELECT FROM pg_stat_activity WHERE usename = 'plumbline_aggregation' AND datname = current_database()"


def late_by_level(database: Database, device: str, metric: str) -> list[tuple[int, int]]:
    """(level, late readings), summed."""
    found = rows(
        database,
        "SELECT level, sum(late)::int8, device_id, name FROM stats JOIN devices d ON d.id = device"
        " JOIN metrics m ON m.id = metric GROUP BY level, device_id, name ORDER BY level",
    )
    return [(level, late) for level, late, *series in found if series == [device, metric]]


def read(database: Database, table: str) -> tuple[int, int]:
    """Rows of such tables that were read so far: one after the other, by index. A session counts when it has ended."""
    wait_for(lambda: not rows(database, MINE), "the aggregator's connections are gone")
    [(by_scan, by_index)] = rows(database, READ.format(table))
    return by_scan, by_index


def test_a_device_that_comes_back_after_months_brings_all_that_it_has(database: Database) -> None:
    put_now(database, steady(5, range(0, 3_600, 60)) + steady(5, range(0, 600, 10), day=TODAY))
    run(database)
    days = [TODAY - days * DAY_S for days in (210, 120, 119, 3)]
    put_now(database, [event for day in days for event in steady(1, range(5, 7_200, 100), day)])
    run(database)
    verified(database)
    assert late_by_level(database, "dev-0", "a") == [(level, 4 * 72) for level in (60, 3_600, 86_400)]
    assert late_by_level(database, "dev-1", "a") == [(level, 0) for level in (60, 3_600, 86_400)]


def test_a_whole_day_of_a_device_comes_late(database: Database) -> None:
    put_now(database, steady(4, range(0, DAY_S, 600)))
    run(database)
    late: list[Event] = [
        ("dev-2", DAY + minute * 60 + 1, {"a": minute / 3} if minute % 2 else {"a": minute / 3, "c": 1.0})
        for minute in range(1_440)
    ]
    put_now(database, late)
    assert rows(database, "SELECT count(*) FROM dirty") == [(1_440,)]
    run(database)
    verified(database)
    assert late_by_level(database, "dev-2", "a") == [(level, 1_440) for level in (60, 3_600, 86_400)]
    assert late_by_level(database, "dev-2", "c") == [(level, 720) for level in (60, 3_600, 86_400)]


def test_events_that_are_older_than_all_others(database: Database) -> None:
    put_now(database, steady(2, range(0, 600, 10)))
    run(database)
    put_now(database, [("dev-0", DAY - 400 * DAY_S + 0.5, {"a": 1.0}), ("new", DAY - 3_000 * DAY_S, {"z": -1.0})])
    run(database)
    verified(database)
    assert late_by_level(database, "new", "z") == [(level, 1) for level in (60, 3_600, 86_400)]


def test_a_late_device_is_read_and_not_the_fleet(database: Database) -> None:
    """However little the planner knows: the table was never analysed."""
    put_now(database, steady(60, range(0, 24_000, 60)))
    run(database)
    events, dirty = read(database, "events_"), read(database, "dirty")
    put_now(database, [("dev-7", DAY + minute * 60 + 0.5, {"a": 1.0}) for minute in range(400)])
    run(database)
    after, dirty_after = read(database, "events_"), read(database, "dirty")
    assert after[0] == events[0]  # nothing from end to end
    assert after[1] - events[1] == 400 + 400 + 2  # its day, and what is latest there
    assert dirty_after[0] == dirty[0]
    verified(database)


def test_only_what_late_data_changed_is_said_to_have_changed(database: Database) -> None:
    put_now(database, steady(3, range(0, 7_200, 60)))
    run(database)
    while rows(database, "SELECT count(*) FROM fleet_until WHERE until > '-infinity'") != [(3,)]:
        run(database)
    put_now(database, [("dev-1", DAY + 61, {"a": 1.0}), ("dev-2", DAY + 62, {"a": 2.0})])
    runner, _ = scheduler(database)
    runner._fleet.run = lambda *_, **__: False  # type: ignore[method-assign]  # it would make them again at once
    assert runner.run_once(threading.Event())
    runner.close()
    revisions = rows(
        database, "SELECT device_id, revision FROM device_revisions JOIN devices ON id = device ORDER BY 1"
    )
    assert revisions == [("dev-1", 1), ("dev-2", 1)]
    stale = rows(
        database,
        "SELECT DISTINCT level, name, extract(epoch FROM bucket)::int8 FROM fleet_stale"
        " JOIN metrics ON id = metric ORDER BY level",
    )
    assert stale == [(60, "a", DAY + 60), (3_600, "a", DAY), (86_400, "a", DAY)]
    run(database)
    assert rows(database, "SELECT count(*) FROM fleet_stale") == [(0,)]
    verified(database)


def test_late_readings_at_the_ends_of_a_double_hold_up_nobody(database: Database) -> None:
    put_now(database, steady(3, range(0, 600, 10)))
    run(database)
    put_now(database, [("dev-0", DAY + n + 0.5, {"a": (-1) ** n * 1e300}) for n in range(500)])
    put_now(database, [("dev-1", DAY + n + 0.5, {"a": 1.7e308, "b": 5e-324}) for n in range(60)])
    put_now(database, [("dev-2", DAY + 0.5, {"a": 3.0})])
    run(database)
    assert rows(database, "SELECT count(*) FROM dirty") == [(0,)]
    assert late_by_level(database, "dev-0", "a") == [(level, 500) for level in (60, 3_600, 86_400)]
    assert late_by_level(database, "dev-1", "b") == [(level, 60) for level in (60, 3_600, 86_400)]
    assert late_by_level(database, "dev-2", "a") == [(level, 1) for level in (60, 3_600, 86_400)]


def test_a_backlog_is_worked_newest_first_in_rounds_that_fit_in_memory(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [TODAY - number * DAY_S for number in range(2, 8)]  # newest first
    put_now(database, [event for day in days for event in steady(4, range(0, 600, 60), day)])
    run(database)
    for number in range(5):  # the same buckets, many times
        put_now(database, [event for day in days for event in steady(4, range(number + 1, 600, 60), day)])
    assert rows(database, "SELECT count(*) FROM dirty") == [(5 * 6 * 4 * 10,)]
    monkeypatch.setattr(repair, "_ROUND", 2 * 4 * 10)
    runner, _ = scheduler(database)
    left = []
    for _ in days:
        runner.run_once(threading.Event())
        left.append(rows(database, "SELECT extract(epoch FROM max(bucket))::int8 FROM dirty"))
        if not runner.more:
            break
    runner.close()
    assert left[0] == [(days[2] + 540,)]  # the two newest are done
    assert len(left) == 4  # three rounds of two days, and a look that finds nothing
    verified(database)


def test_the_size_and_the_age_of_the_backlog_are_told(database: Database) -> None:
    put_now(database, steady(2, range(0, 600, 60)))
    registry = CollectorRegistry()
    runner, _ = scheduler(database)
    runner._metrics = Metrics(registry)
    runner.run_once(threading.Event())
    assert registry.get_sample_value("aggregation_dirty_entries") == 0
    put_now(database, steady(2, range(5, 600, 60)))
    with database.connect() as connection:
        connection.execute(
            "UPDATE dirty SET logged_at = now() - interval '1 hour' WHERE id = (SELECT min(id) FROM dirty)"
        )
    runner._report()
    assert registry.get_sample_value("aggregation_dirty_entries") == 20
    age = registry.get_sample_value("aggregation_dirty_age_seconds")
    assert age is not None
    assert 3_600 <= age < 3_700
    runner.close()


def test_a_long_log_is_neither_sorted_nor_counted_from_end_to_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_now(database, steady(1, range(0, 600, 60)))
    run(database)
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO dirty (bucket, device, layout, events) SELECT to_timestamp(%s - 60 * (n %% 7)), n, 1, 1"
            " FROM generate_series(1000, 60999) n",
            [DAY],
        )
    monkeypatch.setattr(repair, "_ROUND", 100)
    monkeypatch.setattr("aggregation_service.backlog_store.COUNTED", 1_000)
    before = read(database, "dirty")
    run(database)
    assert sum(read(database, "dirty")) - sum(before) < 2_000
    assert rows(database, "SELECT count(*) FROM dirty") == [(60_000 - 100,)]


class Rebuilding(Failpoints):
    """Another process rebuilds the day of the first device before a repair writes it, so many times."""

    def __init__(self, store: Store, times: int) -> None:
        super().__init__("")
        self.store, self.times = store, times

    def hit(self, name: str) -> None:
        if name == "aggregation.repair.before_write" and self.times:
            self.times -= 1
            self.rebuild()

    def rebuild(self) -> None:
        """As `plumbline backfill` does."""
        with changing(self.store.connection) as change:
            device, metric, ts, value = _day(self.store)
            bucket = ts.astype("datetime64[m]").astype("datetime64[us]")
            change.replace({60: rollup(device, metric, bucket, value)})


def test_another_process_may_rebuild_the_same_rows_at_any_time(database: Database) -> None:
    put_now(database, steady(1, range(0, 600, 10)))
    run(database)
    put_now(database, [("dev-0", DAY + 0.5, {"a": 5.0})])
    other = Store(database.conninfo)
    rebuilding = Rebuilding(other, 2)
    run(database, rebuilding)
    assert rebuilding.times == 0
    verified(database)
    rebuilding.rebuild()  # nothing changes, and how much came late is kept
    verified(database)
    assert late_by_level(database, "dev-0", "a") == [(level, 1) for level in (60, 3_600, 86_400)]
    put_now(database, [("dev-0", DAY + 0.6, {"a": 6.0})])
    with pytest.raises(psycopg.errors.SerializationFailure):
        run(database, Rebuilding(other, 1_000))  # not for ever: the next run tries again
    other.close()
    assert rows(database, "SELECT count(*) FROM dirty") == [(1,)]
    run(database)
    verified(database)


def _day(store: Store) -> tuple[np.ndarray, ...]:
    store.load_layouts([layout for (layout,) in store.connection.execute("SELECT id FROM layouts")])
    return store.readings_of_devices(DAY, DAY + DAY_S, [1])
