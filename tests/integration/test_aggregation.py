"""Aggregation on the real Postgres: what is stored is what plain Python recomputes from raw events."""

import threading
import time

import psycopg
import pytest

from shared.errors import ConfigurationError, PlumblineError
from tests.aggregated import (
    DAY,
    DAY_S,
    TODAY,
    Event,
    at,
    fingerprint,
    put,
    put_now,
    rows,
    run,
    scheduler,
    steady,
    unpacked,
    verified,
)
from tests.pipeline import wait_for
from tests.servers import Database


def test_closed_buckets_are_stored_at_every_level(database: Database) -> None:
    put_now(database, steady(3, range(100, 4_000)))
    put_now(
        database, [("lone", DAY + 5, {"c": 2.5}), ("lone", DAY + 5.5, {}), ("lone", DAY + DAY_S, {"a": 1.0, "c": -1.0})]
    )
    run(database)
    assert verified(database) == {60: 3 * 2 * 66 + 3, 3_600: 3 * 2 * 2 + 3, 86_400: 3 * 2 + 3}
    got = rows(
        database,
        "SELECT count, min, max, summary FROM stats JOIN devices d ON d.id = device JOIN metrics m ON m.id = metric"
        " WHERE level = 60 AND device_id = 'dev-1' AND name = 'a' ORDER BY bucket",
    )
    count, least, greatest, summary = got[1]
    assert (count, least, greatest) == (60, 1 + 120 / 7, 1 + 179 / 7)
    assert unpacked(summary) == [1 + second / 7 for second in range(120, 180)]


def test_a_bucket_is_closed_when_its_time_and_the_delay_are_over(database: Database) -> None:
    now = time.time()
    put_now(database, [("dev", now - 600, {"a": 1.0}), ("dev", now, {"a": 2.0})])
    run(database, aggregation_delay_seconds=120)
    [(watermark, until, lag)] = rows(
        database,
        "SELECT watermark, until, extract(epoch FROM now() - watermark)::float8 FROM watermarks"
        " JOIN materialized USING (level) WHERE level = 60",
    )
    assert watermark == until
    assert 120 <= lag < 120 + 60 + 30
    assert rows(database, "SELECT sum(count)::int8 FROM stats WHERE level = 60") == [(1,)]


def test_slices_of_devices_add_up_to_the_window(database: Database) -> None:
    put_now(database, steady(40, range(300)))
    run(database, aggregation_chunk_readings=1_000)
    assert verified(database) == {60: 40 * 2 * 5, 3_600: 80, 86_400: 80}


def test_nothing_is_walked_between_days_with_events(database: Database) -> None:
    put_now(database, steady(1, range(60), day=TODAY - 300 * DAY_S) + steady(1, range(60)))
    started = time.monotonic()
    run(database)
    assert verified(database) == {60: 4, 3_600: 4, 86_400: 4}
    assert time.monotonic() - started < 15  # 10 months of hours would take minutes


def test_late_events_are_worked_in_for_their_device_only(database: Database) -> None:
    put_now(database, steady(3, range(0, 7_200, 10)))
    run(database)
    before = rows(database, "SELECT level, device, metric, bucket, xmin::text FROM stats")
    put_now(
        database,
        [
            ("dev-1", DAY + 65.5, {"a": 1e6, "b": 0.0}),
            ("dev-1", DAY + 66.5, {"a": -1e6}),
            ("new", DAY + 65, {"a": 7.0}),
        ],
    )
    assert rows(database, "SELECT count(*) FROM dirty") == [(3,)]
    run(database)
    assert rows(database, "SELECT count(*) FROM dirty") == [(0,)]
    verified(database)
    after = rows(database, "SELECT level, device, metric, bucket, xmin::text FROM stats")
    assert len(set(after) - set(before)) == 3 * 2 + 3  # dev-1's two metrics and the new device, at three levels
    late = rows(database, "SELECT level, device_id, name, late FROM stats JOIN devices d ON d.id = device"
                " JOIN metrics m ON m.id = metric WHERE late > 0 ORDER BY 1, 2, 3")  # fmt: skip
    assert late == [(level, *row) for level in (60, 3_600, 86_400)
                    for row in (("dev-1", "a", 2), ("dev-1", "b", 1), ("new", "a", 1))]  # fmt: skip


def test_history_that_is_loaded_after_the_watermark_passed(database: Database) -> None:
    run(database)
    put_now(database, steady(20, range(0, 3_000, 3)))
    put_now(database, steady(20, range(0, 3_000, 5), day=TODAY - 1_800))
    [(logged,)] = rows(database, "SELECT count(*) FROM dirty")
    assert logged >= 20 * 50
    run(database, aggregation_chunk_readings=2_000)
    assert rows(database, "SELECT count(*) FROM dirty") == [(0,)]
    assert verified(database)[60] >= 20 * 2 * 50


def test_a_log_that_repeats_itself_changes_no_statistics(database: Database) -> None:
    run(database)
    put_now(database, steady(2, range(0, 120, 10)))
    with database.connect() as connection:
        connection.execute("CREATE TABLE repeated AS SELECT bucket, device, layout, events FROM dirty")
    run(database)
    before = fingerprint(database, before=TODAY)
    with database.connect() as connection:
        connection.execute("INSERT INTO dirty (bucket, device, layout, events) SELECT * FROM repeated")
    run(database)
    assert fingerprint(database, before=TODAY) == before
    verified(database)


def test_a_late_event_that_commits_during_its_refresh_stays_logged(database: Database) -> None:
    put_now(database, steady(1, range(120)))
    run(database)
    put_now(database, [("dev-0", DAY + 0.5, {"a": 5.0})])
    run(database, at("aggregation.repair.before_write", lambda: put_now(database, [("dev-0", DAY + 0.6, {"a": 6.0})])))
    assert rows(database, "SELECT events FROM dirty") == [(1,)]
    run(database)
    assert rows(database, "SELECT count(*) FROM dirty") == [(0,)]
    verified(database)
    assert rows(database, "SELECT count, late FROM stats JOIN metrics m ON m.id = metric"
                " WHERE level = 86400 AND name = 'a'") == [(122, 2)]  # fmt: skip


def test_a_late_event_that_commits_while_its_bucket_is_first_stored_stays_logged(database: Database) -> None:
    put_now(database, steady(1, range(60)))
    run(database, at("aggregation.before_write", lambda: put_now(database, [("dev-0", DAY + 0.5, {"a": 5.0})])))
    run(database)
    verified(database)
    assert rows(database, "SELECT count, late FROM stats JOIN metrics m ON m.id = metric"
                " WHERE level = 60 AND name = 'a'") == [(61, 1)]  # fmt: skip


def test_what_was_logged_before_a_bucket_is_first_stored_is_not_late(database: Database) -> None:
    put_now(database, steady(1, range(60)))
    commit = at("aggregation.after_watermarks", lambda: put_now(database, [("dev-0", DAY + 0.5, {"a": 5.0})]))
    run(database, commit)
    assert rows(database, "SELECT count(*) FROM dirty") == [(0,)]
    assert rows(database, "SELECT sum(count)::int8, sum(late)::int8 FROM stats WHERE level = 60") == [(121, 0)]
    verified(database)


def test_the_watermark_waits_for_a_transaction_that_writes_below_it(database: Database) -> None:
    put_now(database, steady(1, range(60)))
    runner, _ = scheduler(database)
    with database.connect(autocommit=False) as ingesting:
        assert put(ingesting, [("dev-0", DAY + 30.5, {"a": 5.0})]) == 0  # in time: nothing is closed yet
        thread = threading.Thread(target=runner.run_once, args=[threading.Event()])
        thread.start()
        wait_for(
            lambda: rows(database, "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                         " AND query LIKE '%UPDATE watermarks%' AND pid <> pg_backend_pid()") != [],
            "the watermark's UPDATE waits",
        )  # fmt: skip
    thread.join(30)
    runner.close()
    assert rows(database, "SELECT sum(count)::int8, sum(late)::int8 FROM stats WHERE level = 60") == [(121, 0)]
    verified(database)


def test_two_aggregators_do_the_work_once(database: Database) -> None:
    put_now(database, steady(2, range(120)))
    (first, _), (second, _) = scheduler(database), scheduler(database)
    stop = threading.Event()
    assert first.run_once(stop)
    assert not second.run_once(stop)
    first.close()
    wait_for(lambda: second.run_once(stop), "the other has its turn")
    second.close()
    verified(database)


def test_a_level_that_is_added_is_made_of_all_history(database: Database) -> None:
    put_now(database, steady(2, range(0, 4_000, 7)))
    run(database)
    run(database, aggregation_levels="1m,15m,1h,1d")
    assert verified(database)[900] == 2 * 2 * 5
    put_now(database, [("dev-0", DAY + 0.5, {"a": 5.0})])
    run(database)  # a level that is stored is kept up, also where a setting forgets it
    assert rows(database, "SELECT level FROM stats WHERE late > 0 ORDER BY 1") == [(60,), (900,), (3_600,), (86_400,)]
    verified(database)


def test_a_level_that_does_not_fit_the_stored_ones_is_refused(database: Database) -> None:
    run(database, aggregation_levels="1m,15m")
    with pytest.raises(ConfigurationError, match=r"AGGREGATION_LEVELS: levels of 600 s and 900 s"):
        run(database, aggregation_levels="10m,1h")


def test_readings_at_the_ends_of_a_double_stop_nobody(database: Database) -> None:
    events: list[Event] = [("huge", DAY + second, {"a": (-1) ** second * 1e300}) for second in range(500)]
    events += [("vast", DAY + second, {"a": 1.7e308}) for second in range(60)]
    events += [("tiny", DAY + second, {"a": 5e-324}) for second in range(60)]
    put_now(database, events + steady(1, range(60)))
    run(database)
    assert rows(database, "SELECT device_id, count, sum, min, max FROM stats JOIN devices d ON d.id = device"
                " WHERE level = 86400 AND device_id <> 'dev-0' ORDER BY 1") == [
        ("huge", 500, 0.0, -1e300, 1e300), ("tiny", 60, 60 * 5e-324, 5e-324, 5e-324),
        ("vast", 60, float("inf"), 1.7e308, 1.7e308)]  # fmt: skip


def test_published_acks_are_deleted(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO kafka_offsets (topic, partition, topic_id, first_offset, next_offset, acked_offset, owner,"
            " owner_epoch) VALUES ('t', 0, 'id', 0, 30, 20, gen_random_uuid(), 1)"
        )
        connection.execute("INSERT INTO outbox SELECT 'id', 0, n, n + 9, 10, 0, 0, 0 FROM generate_series(0, 20, 10) n")
    run(database)
    assert rows(database, "SELECT first_offset FROM outbox") == [(20,)]


def test_a_database_that_was_not_migrated_stops_it_with_the_fix(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("ALTER TABLE materialized RENAME TO elsewhere")
    runner, _ = scheduler(database)
    with pytest.raises(PlumblineError, match=r"42P01.*shared\.migrations"):
        runner.run(threading.Event())


def test_without_one_snapshot_a_late_event_is_lost(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the tests above: they notice when reading and clearing don't see the same."""
    monkeypatch.setattr("aggregation_service.store._ISOLATION", psycopg.IsolationLevel.READ_COMMITTED)
    put_now(database, steady(1, range(60)))
    run(database, at("aggregation.before_write", lambda: put_now(database, [("dev-0", DAY + 0.5, {"a": 5.0})])))
    run(database)
    with pytest.raises(AssertionError):
        verified(database)
    assert rows(database, "SELECT count(*) FROM dirty") == [(0,)]  # it isn't that the event is still to come
