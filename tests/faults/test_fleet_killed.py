"""The aggregator is killed while it makes statistics across devices: none is wrong, and the next run ends the same.

The test of the test: with `FleetStore.replace` in two transactions, a row that is wrong is no longer stale.
"""

import signal

import pytest

from aggregation_service import fleet
from tests.across import fingerprint, forget, judged, run_without, step
from tests.aggregated import DAY, put_now, rows, run, steady
from tests.pipeline import running
from tests.servers import Database

SPOTS = ("before_write=kill", "before_write=kill@4", "before_commit=kill", "before_commit=kill@3")


@pytest.mark.parametrize("spot", SPOTS)
@pytest.mark.parametrize("history", [False, True], ids=["stale", "history"])
def test_killed_while_rows_across_devices_are_made(
    database: Database, monkeypatch: pytest.MonkeyPatch, spot: str, history: bool
) -> None:
    put_now(database, steady(20, range(0, 600, 10)))
    run_without(database, monkeypatch) if history else run(database)
    put_now(database, [(f"dev-{number}", DAY + 5.5 + 60 * number, {"a": 1e6}) for number in range(9)])
    run_without(database, monkeypatch)
    service = {**database.environment("aggregation"), "FAILPOINTS": f"aggregation.fleet.{spot}"}
    with running("aggregation_service", service) as victim:
        assert victim.wait(60) == -signal.SIGKILL
    judged(database)
    monkeypatch.setattr(fleet, "_AGAIN_S", 60.0)
    step(database)
    assert rows(database, "SELECT count(*) FROM fleet_stale") == [(0,)]
    judged(database)
    before = fingerprint(database)
    forget(database)
    step(database)
    assert fingerprint(database) == before
