"""The plan of faults."""

import numpy as np
import pytest

from simulator.faults import FAULTS, Fault, FaultPlanner
from simulator.noise import keys

SHARES = {
    Fault.LATE: 0.01,
    Fault.OUT_OF_ORDER: 0.02,
    Fault.DUPLICATE: 0.03,
    Fault.CONFLICT: 0.04,
    Fault.MALFORMED: 0.05,
}
NUMBERS = np.arange(1_000_000, 1_200_000)


def planner(shares: dict[Fault, float], seed: int = 1) -> FaultPlanner:
    return FaultPlanner(keys(seed, 1), devices=100, late_events=60_000, shares=shares)


def test_each_fault_has_its_share() -> None:
    counts = np.bincount(planner(SHARES).plan(NUMBERS).fault)
    for fault in FAULTS:
        assert counts[fault] / len(NUMBERS) == pytest.approx(SHARES[fault], rel=0.1)


def test_no_shares_no_faults() -> None:
    plan = planner({}).plan(NUMBERS)
    assert not plan.fault.any()
    assert not plan.delay.any()


def test_a_share_of_1_takes_every_event() -> None:
    assert (planner({Fault.MALFORMED: 1.0}).plan(NUMBERS).fault == Fault.MALFORMED).all()


def test_the_plan_of_an_event_depends_on_seed_and_number_alone() -> None:
    whole, part = planner(SHARES).plan(NUMBERS), planner(SHARES).plan(NUMBERS[500:600])
    assert part.fault.tolist() == whole.fault[500:600].tolist()
    assert part.delay.tolist() == whole.delay[500:600].tolist()
    assert planner(SHARES, seed=2).plan(NUMBERS).fault.tolist() != whole.fault.tolist()


def test_delays_fit_their_fault() -> None:
    plan = planner(SHARES).plan(NUMBERS)
    late, disordered = plan.delay[plan.fault == Fault.LATE], plan.delay[plan.fault == Fault.OUT_OF_ORDER]
    assert 30_000 <= late.min() <= late.max() <= 60_000
    # More than one turn of all devices: at least one later event of the same device goes before it.
    assert 100 < disordered.min() <= disordered.max() <= 501
    assert plan.delay[plan.fault == Fault.CONFLICT].min() >= 1
    assert not plan.delay[(plan.fault == Fault.MALFORMED) | (plan.fault == Fault.NONE)].any()
