"""What is due when."""

from simulator.fleet import Fleet
from simulator.pacing import CHUNK, SHORTEST_WAIT_S, Run, due, wait_s

FLEET = Fleet(devices=10, interval_us=1_000_000)  # an event every 100 ms
NOW = 1_795_000_000_000_000
START = FLEET.first_at(NOW)


def test_a_run_has_the_events_from_begin_to_before_end() -> None:
    run = Run.between(FLEET, NOW, NOW + 60_000_000)
    assert run.stop is not None
    assert run.stop - run.first == 600
    assert not run.over(run.stop - 1)
    assert run.over(run.stop)


def test_events_are_due_at_their_time_and_not_before() -> None:
    run = Run.between(FLEET, NOW, None)
    assert due(FLEET, run, START, NOW - 1) == START
    assert due(FLEET, run, START, NOW) == START + 1
    assert due(FLEET, run, START, NOW + 999_999) == START + 10


def test_pacing_has_no_drift_however_late_it_wakes() -> None:
    run = Run.between(FLEET, NOW, None)
    number, now = START, NOW
    while now < NOW + 100_000_000:
        number = due(FLEET, run, number, now)
        now += 137_777  # wakes are never on time
    assert number - START == (now - 137_777 - NOW) // 100_000 + 1


def test_history_comes_in_chunks_up_to_its_end() -> None:
    run = Run.between(FLEET, NOW - 3_600_000_000, NOW)
    assert due(FLEET, run, run.first, NOW) == run.first + CHUNK
    assert due(FLEET, run, START - 3, NOW + 10**9) == START


def test_waits_end_when_the_next_event_is_due() -> None:
    assert wait_s(NOW + 2_000_000, NOW) == 2.0
    assert wait_s(NOW - 5, NOW) == SHORTEST_WAIT_S
