"""Workers that share the aggregator's work: the same result, nothing of one that lost its turn, no hold-up of what is
short."""

import threading
from collections.abc import Callable, Iterator, Sequence

import psycopg
import pytest

from aggregation_service.materialise import Materialiser
from aggregation_service.scheduler import Scheduler
from aggregation_service.store import TurnLost
from aggregation_service.windows import Window
from shared.failpoints import Failpoints
from tests.aggregated import (
    DAY,
    DAY_S,
    TODAY,
    fingerprint,
    from_scratch,
    put_now,
    rows,
    run,
    scheduler,
    steady,
    verified,
)
from tests.pipeline import wait_for
from tests.servers import Database

NOW_IS = "SELECT extract(epoch FROM now())::int8"


class Each(Failpoints):
    """Does something each time that a failpoint is reached, one worker at a time."""

    def __init__(self, name: str, action: Callable[[], object]) -> None:
        super().__init__("")
        self._name, self._action = name, action
        self._one = threading.Lock()

    def hit(self, name: str) -> None:
        if name == self._name:
            with self._one:
                self._action()


def once(action: Callable[[], object]) -> Callable[[], object]:
    """The first call does it, others nothing."""
    left = [action]
    return lambda: left.pop()() if left else None


def forget_days(database: Database) -> None:
    """Days are to be stored again, minutes and hours stay."""
    with database.connect() as connection:
        connection.execute("DELETE FROM stats WHERE level = 86400")
        connection.execute("UPDATE materialized SET until = to_timestamp(%s) WHERE level = 86400", [DAY])


def until(database: Database, level: int) -> int:
    return int(dict(rows(database, "SELECT level, extract(epoch FROM until)::int8 FROM materialized"))[level])


@pytest.mark.parametrize("workers", [1, 3])
def test_the_same_bytes_however_many_workers(database: Database, workers: int) -> None:
    run(database)
    put_now(database, steady(30, range(0, 600, 7)) + steady(30, range(0, 600, 11), day=TODAY - 1_800))
    run(database, aggregation_workers=workers, aggregation_chunk_readings=1_000)
    verified(database)
    late = fingerprint(database, before=TODAY)
    from_scratch(database)
    assert fingerprint(database, before=TODAY) == late


def test_workers_share_a_window_by_devices(database: Database) -> None:
    put_now(database, steady(40, range(300)))
    both, seen = threading.Barrier(2, timeout=20), set()

    def meet() -> None:
        seen.add(threading.current_thread().name)
        both.wait()

    class Meeting(Failpoints):
        def hit(self, name: str) -> None:
            if name == "aggregation.before_commit" and len(seen) < 2:
                meet()

    run(database, Meeting(""), aggregation_workers=2, aggregation_chunk_readings=1_000)
    assert len(seen) == 2  # two transactions at once
    assert verified(database)[86_400] == 80


def test_a_minute_that_closes_is_stored_before_the_day_that_is_being_closed(database: Database) -> None:
    """And late data of other days is worked in, that of the day itself once it is stored."""
    [(now,)] = rows(database, NOW_IS)
    put_now(database, [*steady(20, range(0, 600, 30)), ("dev-1", now - 90, {"a": 1.0})])
    run(database, aggregation_delay_seconds=600)
    forget_days(database)
    stored: list[tuple[int, int, int]] = []

    def minutes_close(runner: Scheduler) -> None:
        runner._settings = runner._settings.model_copy(update={"aggregation_delay_seconds": 0.0})
        put_now(database, [("dev-0", DAY + 31.5, {"a": 5.0}), ("dev-0", DAY - DAY_S, {"a": 6.0})])

    def look() -> None:
        close()
        [(late,)] = rows(database, "SELECT coalesce(sum(late), 0)::int8 FROM stats WHERE level = 60")
        stored.append((until(database, 60), until(database, 86_400), late))

    runner, _ = scheduler(
        database, Each("aggregation.before_commit", look), aggregation_chunk_readings=1_000, aggregation_workers=1,
        aggregation_interval_seconds=0.1, aggregation_delay_seconds=600,
    )  # fmt: skip
    close = once(lambda: minutes_close(runner))
    runner.run_once(threading.Event())
    assert [late for minute, day, late in stored if minute > now - 90 and day == DAY][-1] == 1
    assert until(database, 86_400) == TODAY
    assert rows(database, "SELECT count(*) FROM dirty") == [(0,)]
    runner.close()
    run(database, aggregation_delay_seconds=0)
    verified(database)


def test_a_minute_within_an_hour_within_a_day(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each closes while slices of the longer one are stored, and is stored before it."""
    put_now(database, steady(20, range(0, 600, 30)))
    run(database, aggregation_delay_seconds=600)
    forget_days(database)
    events: list[tuple[str, int]] = []
    real = Materialiser.store

    def recorded(
        self: Materialiser, window: Window, under_way: Sequence[Window], epoch: int, stop: threading.Event, _: float
    ) -> Iterator[None]:
        events.append(("begins", window.longest))
        yield from real(self, window, under_way, epoch, stop, 0.0)  # looks for what is more urgent after each slice
        events.append(("ends", window.longest))

    def closes() -> None:
        if events[-1] == ("begins", 86_400):
            with database.connect() as connection:
                connection.execute("UPDATE materialized SET until = until - interval '1 hour' WHERE level = 3600")
        elif events[-1] == ("begins", 3_600):
            runner._settings = runner._settings.model_copy(update={"aggregation_delay_seconds": 0.0})

    monkeypatch.setattr(Materialiser, "store", recorded)
    runner, _ = scheduler(
        database, Each("aggregation.before_commit", closes), aggregation_chunk_readings=1_000, aggregation_workers=1,
        aggregation_delay_seconds=600,
    )  # fmt: skip
    runner.run_once(threading.Event())
    runner.close()
    day = events[events.index(("begins", 86_400)) : events.index(("ends", 86_400))]
    hour = day[day.index(("begins", 3_600)) : day.index(("ends", 3_600))]
    assert ("ends", 60) in hour
    verified(database)


def test_late_data_of_a_day_that_is_being_closed_is_not_lost(database: Database) -> None:
    """For devices whose slice was stored before it came, and for those whose slice comes after."""
    put_now(database, steady(20, range(0, 600, 30)))
    run(database)
    forget_days(database)
    late = [(f"dev-{number}", DAY + 31.5, {"a": 5.0}) for number in range(20)]
    run(
        database, Each("aggregation.before_commit", once(lambda: put_now(database, late))),
        aggregation_chunk_readings=1_000, aggregation_interval_seconds=0.1,
    )  # fmt: skip
    run(database)
    verified(database)


def test_whoever_takes_the_turn_waits_for_workers_of_the_turn_before(database: Database) -> None:
    put_now(database, steady(10, range(300)))
    second, _ = scheduler(database)
    taking = threading.Thread(target=second.run_once, args=[threading.Event()])

    def connection_breaks() -> None:
        assert store._connection is not None
        rows(database, f"SELECT pg_terminate_backend({store._connection.info.backend_pid})")
        wait_for(lambda: _free(database), "the turn is free")
        taking.start()
        wait_for(lambda: _waits(database, "UPDATE aggregation_turn"), "the other waits for this transaction")

    first, store = scheduler(
        database, Each("aggregation.before_commit", once(connection_breaks)), aggregation_chunk_readings=1_000
    )
    with pytest.raises((psycopg.Error, TurnLost)):
        first.run_once(threading.Event())
    first.close()
    taking.join(30)
    assert not taking.is_alive()
    second.close()
    assert verified(database) == {60: 10 * 2 * 5, 3_600: 20, 86_400: 20}


@pytest.mark.parametrize("spot", ["aggregation.after_commit", "aggregation.repair.after_commit"])
def test_a_worker_whose_turn_was_lost_writes_nothing_more(database: Database, spot: str) -> None:
    if "repair" in spot:
        run(database)
    put_now(database, steady(10, range(300)))
    second, other = scheduler(database)
    written: list[object] = []

    def another_takes_over() -> None:
        assert store._connection is not None
        rows(database, f"SELECT pg_terminate_backend({store._connection.info.backend_pid})")
        wait_for(lambda: other.take_turn() is not None, "the turn is the other's")
        written.extend(rows(database, "SELECT count(*) FROM stats"))

    first, store = scheduler(
        database, Each(spot, once(another_takes_over)), aggregation_chunk_readings=1_000, aggregation_workers=1
    )
    with pytest.raises(TurnLost):
        first.run_once(threading.Event())
    first.close()
    assert 0 < written[0][0] < 10 * 2 * 7  # type: ignore[index]
    assert rows(database, "SELECT count(*) FROM stats") == written
    assert second.run_once(threading.Event())
    second.close()
    verified(database)


def test_an_error_of_one_worker_ends_the_run_and_the_next_one_finishes_it(database: Database) -> None:
    put_now(database, steady(20, range(300)))

    def worker_is_cut_off() -> None:
        rows(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%SAVEPOINT%' LIMIT 1")

    runner, _ = scheduler(
        database, Each("aggregation.before_commit", once(worker_is_cut_off)), aggregation_chunk_readings=1_000
    )
    with pytest.raises(psycopg.OperationalError):
        runner.run_once(threading.Event())
    runner.close()
    run(database)
    verified(database)


def test_the_turn_is_kept_while_a_slice_takes_long(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection that has it is idle meanwhile, and the server ends those of frozen processes."""
    put_now(database, steady(1, range(60)))
    with database.connect() as connection:
        connection.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$"
        )
        connection.execute("CREATE TRIGGER slow BEFORE INSERT ON stats FOR EACH ROW EXECUTE FUNCTION slow()")
    monkeypatch.setattr("aggregation_service.team._ALIVE_S", 0.1)
    runner, store = scheduler(database)
    store._idle_ms = 1_000
    assert runner.run_once(threading.Event())
    runner.close()
    verified(database)


def test_rows_that_are_made_again_after_a_crash_raise_the_revision_of_their_devices(database: Database) -> None:
    put_now(database, steady(3, range(60)))
    run(database)
    assert rows(database, "SELECT count(*) FROM device_revisions") == [(0,)]
    with database.connect() as connection:
        connection.execute("UPDATE materialized SET until = to_timestamp(%s) WHERE level = 3600", [DAY])
        connection.execute("DELETE FROM stats WHERE level = 3600 AND device > 1")
    run(database, aggregation_chunk_readings=1_000)  # a slice a device
    assert rows(database, "SELECT device, revision FROM device_revisions") == [(1, 1)]
    verified(database)


def _free(database: Database) -> bool:
    return not rows(
        database,
        "SELECT FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )


def _waits(database: Database, query: str) -> bool:
    return bool(
        rows(
            database,
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            f" AND query LIKE '%{query}%' AND pid <> pg_backend_pid()",
        )
    )
