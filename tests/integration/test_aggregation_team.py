"""Workers that share the aggregator's work: the same result, and what is short isn't held up by what is long."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from aggregation_service.materialise import Materialiser
from aggregation_service.scheduler import Scheduler
from aggregation_service.windows import Window
from shared.failpoints import Failpoints
from tests.aggregated import (
    DAY,
    DAY_S,
    TODAY,
    Each,
    at,
    fingerprint,
    from_scratch,
    once,
    put_now,
    rows,
    run,
    scheduler,
    steady,
    verified,
)
from tests.servers import Database

NOW_IS = "SELECT extract(epoch FROM now())::int8"


def forget_days(database: Database) -> None:
    """Days are to be stored again, minutes and hours stay."""
    with database.connect() as connection:
        connection.execute("DELETE FROM stats WHERE level = 86400")
        connection.execute("UPDATE materialized SET until = to_timestamp(%s) WHERE level = 86400", [DAY])


def often(runner: Scheduler, **settings: float) -> None:
    """It looks for what is more urgent after each slice."""
    wanted = {"aggregation_interval_seconds": 0.0, **settings}
    runner._settings = runner._settings.model_copy(update=wanted)


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
        often(runner, aggregation_delay_seconds=0.0)
        put_now(database, [("dev-0", DAY + 31.5, {"a": 5.0}), ("dev-0", DAY - DAY_S, {"a": 6.0})])

    def look() -> None:
        close()
        [(late,)] = rows(database, "SELECT coalesce(sum(late), 0)::int8 FROM stats WHERE level = 60")
        stored.append((until(database, 60), until(database, 86_400), late))

    runner, _ = scheduler(
        database, Each("aggregation.before_commit", look), aggregation_chunk_readings=1_000, aggregation_workers=1,
        aggregation_delay_seconds=600,
    )  # fmt: skip
    often(runner)
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
        self: Materialiser,
        window: Window,
        under_way: Sequence[Window],
        epoch: int,
        stop: threading.Event,
        seconds: float,
    ) -> Iterator[None]:
        events.append(("begins", window.longest))
        yield from real(self, window, under_way, epoch, stop, seconds)
        events.append(("ends", window.longest))

    def closes() -> None:
        if events[-1] == ("begins", 86_400):
            with database.connect() as connection:
                connection.execute("UPDATE materialized SET until = until - interval '1 hour' WHERE level = 3600")
        elif events[-1] == ("begins", 3_600):
            often(runner, aggregation_delay_seconds=0.0)

    monkeypatch.setattr(Materialiser, "store", recorded)
    runner, _ = scheduler(
        database, Each("aggregation.before_commit", closes), aggregation_chunk_readings=1_000, aggregation_workers=1,
        aggregation_delay_seconds=600,
    )  # fmt: skip
    often(runner)
    runner.run_once(threading.Event())
    runner.close()
    day = events[events.index(("begins", 86_400)) : events.index(("ends", 86_400))]
    hour = day[day.index(("begins", 3_600)) : day.index(("ends", 3_600))]
    assert ("ends", 60) in hour
    verified(database)


def test_late_data_does_not_wait_until_all_history_is_stored(database: Database) -> None:
    days = [DAY - number * DAY_S for number in range(10, -1, -1)]
    put_now(database, [event for day in days for event in steady(1, range(0, 600, 60), day)])
    seen: list[tuple[int, int]] = []

    def look() -> None:
        if until(database, 86_400) == days[3]:
            put_now(database, [("dev-0", days[0] + 0.5, {"a": 5.0})])
        [(late,)] = rows(database, "SELECT coalesce(sum(late), 0)::int8 FROM stats WHERE level = 60")
        seen.append((until(database, 86_400), late))

    runner, _ = scheduler(database, Each("aggregation.before_until", look))
    often(runner)
    runner.run_once(threading.Event())
    runner.close()
    assert [day for day, late in seen if late == 1 and day < DAY]
    verified(database)


def test_late_data_of_a_day_that_is_being_closed_is_not_lost(database: Database) -> None:
    """For devices whose slice was stored before it came, and for those whose slice comes after."""
    put_now(database, steady(20, range(0, 600, 30)))
    run(database)
    forget_days(database)
    late = [(f"dev-{number}", DAY + 31.5, {"a": 5.0}) for number in range(20)]
    runner, _ = scheduler(
        database, at("aggregation.before_commit", lambda: put_now(database, late)), aggregation_chunk_readings=1_000
    )
    often(runner)
    runner.run_once(threading.Event())
    runner.close()
    run(database)
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
