"""kill -9 of the aggregator at exact spots, with a load running: the next process ends in the same state.

The same state: byte for byte the statistics that a run from scratch makes of the same events, and what plain Python
recomputes of them.

The test of the test: with the isolation level down to READ COMMITTED (tests/integration/test_aggregation.py) a late
event is lost; with `clear_dirty` moved out of `Store.snapshot`'s transaction and before `upsert`, a kill at
aggregation.repair.before_write loses late events here.
"""

import itertools
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.aggregated import DAY, DAY_S, fingerprint, from_scratch, put_now, rows, run, steady, verified
from tests.pipeline import running, wait_for
from tests.servers import Database

CLOSED = [
    "aggregation.after_watermarks=kill",
    "aggregation.before_write=kill@3",
    "aggregation.before_commit=kill",
    "aggregation.after_commit=kill@2",
]
LATE = [
    "aggregation.repair.before_write=kill",
    "aggregation.repair.before_commit=kill@3",
    "aggregation.repair.after_commit=kill@2",
]


@contextmanager
def load(database: Database) -> Iterator[None]:
    """Late events for buckets that are closed, from another thread, for the length of the block."""
    stop = threading.Event()

    def work() -> None:
        for number in itertools.count():
            put_now(
                database, [(f"dev-{number % 7}", DAY + number % 300 + 0.001 * (1 + number // 300), {"a": number / 3})]
            )
            if stop.is_set():
                return

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize("spot", CLOSED)
def test_killed_while_closed_buckets_are_stored(database: Database, spot: str) -> None:
    put_now(database, steady(100, range(0, 300, 10)))
    killed_and_resumed(database, spot)


@pytest.mark.parametrize("spot", LATE)
def test_killed_while_late_events_are_worked_in(database: Database, spot: str) -> None:
    put_now(database, steady(20, range(0, 300, 10)))
    run(database)
    killed_and_resumed(database, spot)


def killed_and_resumed(database: Database, spot: str) -> None:
    service = {
        **database.environment("aggregation"),
        "AGGREGATION_INTERVAL_SECONDS": "0.1",
        "AGGREGATION_CHUNK_READINGS": "1000",
    }
    with load(database):
        with running("aggregation_service", service, {"FAILPOINTS": spot}) as victim:
            assert victim.wait(60) == -signal.SIGKILL
        before = worked_in(database)
        with running("aggregation_service", service) as successor:
            wait_for(
                lambda: successor.status is not None or worked_in(database) > before, "late data is worked in again"
            )
            successor.send(signal.SIGTERM)
            assert successor.wait(15) == 0, successor.output()
    run(database)
    assert rows(database, "SELECT count(*) FROM dirty") == [(0,)]
    verified(database)
    state = fingerprint(database, before=DAY + DAY_S)
    from_scratch(database)
    assert fingerprint(database, before=DAY + DAY_S) == state


def worked_in(database: Database) -> int:
    """Late readings that are in the statistics."""
    [(late,)] = rows(database, "SELECT coalesce(sum(late), 0)::int8 FROM stats")
    return int(late)
