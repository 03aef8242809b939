"""A fault is told within a minute, and over soon after it was mended: on a whole stack, by a real Prometheus.

The usual run tries one; `make faults` all of tests/alerting/faults.py, as `make alert-faults` does for its table.
"""

from collections.abc import Iterator

import pytest

from tests.alerting.exercise import exercise
from tests.alerting.faults import FAULTS, Fault
from tests.alerting.stage import Clients, Stage, stage
from tests.alerting.watch import Watch

_SHORT = "ingestion killed"
_WITHIN_S = 60.0
pytestmark = pytest.mark.embedded("asks the Prometheus of a whole embedded stack")


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stack with a load, of which nothing is told."""
    with stage(tmp_path_factory.mktemp("alerting").resolve() / "stack") as made, Clients(made.values):
        watch = Watch(made.values)
        assert watch.until(watch.scraped, 60) is not None
        yield made


@pytest.mark.parametrize(
    "fault",
    [pytest.param(each, id=each.name, marks=[] if each.name == _SHORT else pytest.mark.long) for each in FAULTS],
)
def test_a_fault_is_told_and_it_is_told_when_it_is_over(working: Stage, fault: Fault) -> None:
    (outcome,) = exercise(working, [fault], 0.0, print)
    assert outcome.alert is not None, f"{fault.alert} didn't fire; others did: {outcome.others}"
    assert "error" not in outcome.alert.summary
    assert outcome.fired is not None
    assert outcome.fired <= _WITHIN_S
    assert outcome.told is not None, "Alertmanager would have told nobody"
    assert outcome.resolved is not None
