"""Postgres stops, for a moment or for long, under ingestion."""

import signal
import time

import pytest

from tests.faults.member import MIB, Member, member
from tests.faults.postgres import Server
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict

MOST_BYTES = 300 * MIB
PADDING = 16_000
BACKLOG_EVENTS = 24_000  # of that size: more than the process may take


def stopped(scene: Scene, server: Server, how: signal.Signals, times: int) -> Verdict:
    with scene.load(), member(scene) as one:
        for _ in range(times):
            scene.flows()
            scene.strike()
            server.stop(how)
            one.complains()
            server.start()
            scene.healed()
            if one.service.status is not None:
                break
            scene.recovered()
        return one.verdict("Postgres stops: " + ("fast" if how is signal.SIGINT else "immediate"))


def backend_killed(scene: Scene, server: Server, times: int) -> Verdict:
    with scene.load(), member(scene) as one:
        for _ in range(times):
            scene.flows()
            scene.strike()
            server.kill_backend_of(scene.database)
            scene.healed()
            scene.recovered()
        one.met("database_away")
        return one.verdict("kill -9 of the backend that writes")


def gone(scene: Scene, server: Server, seconds: float) -> Verdict:
    """For longer than its group waits for a member that doesn't poll."""
    with scene.load(), member(scene) as one:
        scene.flows()
        scene.strike()
        server.stop(signal.SIGINT)
        one.complains()
        held(one, seconds)
        server.start()
        scene.healed()
        return one.verdict(f"Postgres gone for {seconds:.0f} s, max.poll.interval is 3 s")


def away(scene: Scene, server: Server, *seconds: float) -> Verdict:
    """Under large events: what it holds of them is bounded."""
    with scene.load(rate=200), member(scene, BATCH_MAX_EVENTS=20_000) as one:
        for turn, duration in enumerate(seconds, 1):
            scene.flows()
            scene.strike()
            server.stop(signal.SIGINT)
            before = one.peak
            with scene.load(rate=int(BACKLOG_EVENTS / duration), padding=PADDING, first=turn * 1_000_000) as large:
                one.complains()
                held(one, duration)
            backlog, peak = len(large.accepted.records) * PADDING, one.peak
            scene.expect(backlog > MOST_BYTES, f"only {backlog / MIB:.0f} MiB waited")
            server.start()
            scene.healed()
            if one.service.status is not None:
                break
            scene.recovered()
            scene.expect(one.peak <= MOST_BYTES, f"it took {one.peak / MIB:.0f} MiB for {backlog / MIB:.0f} MiB")
            figures = [f"{size / MIB:.0f} MiB" for size in (before, backlog, peak, one.peak)]
            print("peak RSS {} before; {} waited: {} meanwhile, {} in the end".format(*figures))
        return one.verdict(f"Postgres away for {' and '.join(f'{each:.0f}' for each in seconds)} s")


def held(one: Member, seconds: float) -> None:
    """The fault lasts; a process that ends is enough."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and one.service.status is None:
        time.sleep(0.2)


def test_an_immediate_stop(own: Scene, server: Server) -> None:
    stopped(own, server, signal.SIGQUIT, 3).survived()


@pytest.mark.long
def test_a_fast_stop(own: Scene, server: Server) -> None:
    stopped(own, server, signal.SIGINT, 1).survived()


@pytest.mark.long
def test_kill_9_of_the_backend(own: Scene, server: Server) -> None:
    backend_killed(own, server, 3).survived()


def test_gone_for_longer_than_the_group_waits(own: Scene, server: Server) -> None:
    gone(own, server, 6).survived()


@pytest.mark.long
def test_control_nobody_polls_while_postgres_is_gone(own: Scene, server: Server) -> None:
    own.without = "pausing"
    assert any("its group assigned" in problem for problem in gone(own, server, 12).problems)


@pytest.mark.long
@pytest.mark.timeout(1_500)
def test_away_for_long(own: Scene, server: Server) -> None:
    away(own, server, 12, 90, 600).survived()


@pytest.mark.long
def test_control_what_fails_once_has_failed_for_good(own: Scene, server: Server) -> None:
    own.without = "reconnecting"
    assert "it ended with status 1" in stopped(own, server, signal.SIGQUIT, 1).problems


@pytest.mark.long
def test_control_all_that_waits_is_read(own: Scene, server: Server) -> None:
    own.without = "bounded_queue"
    assert any(problem.startswith("it took") for problem in away(own, server, 12).problems)
