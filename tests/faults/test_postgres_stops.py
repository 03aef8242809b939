"""Postgres stops, for a moment or for long, under ingestion."""

import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests import servers
from tests.faults import postgres
from tests.faults.member import MIB, Member, member
from tests.faults.postgres import Server
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.servers import Topics

MOST_BYTES = 300 * MIB


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres.running(tmp_path_factory.mktemp("postgres").resolve()) as running:
        yield running


@pytest.fixture
def own(topics: Topics, server: Server, report: Callable[[Verdict], None]) -> Iterator[Scene]:
    """A scene whose Postgres is the module's own."""
    with servers.database(server.values) as database:
        yield Scene(topics, database, report)


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
        one.met("database_unavailable")
        return one.verdict("kill -9 of the backend that writes")


def away(scene: Scene, server: Server, seconds: float, rate: int, padding: int, most: int = MOST_BYTES) -> Verdict:
    """For longer than its group waits for a member; what it may hold of the backlog is bounded."""
    with scene.load(rate=rate, padding=padding, poison_every=0), member(scene) as one:
        scene.flows()
        scene.strike()
        server.stop(signal.SIGINT)
        one.complains()
        before, since = scene.accepted(), time.monotonic()
        held(one, seconds)
        waiting = (scene.accepted() - before) * padding
        away_for = time.monotonic() - since
        server.start()
        scene.healed()
        scene.recovered()
        scene.expect(waiting > most / 2, f"only {waiting / MIB:.0f} MiB waited")
        scene.expect(one.peak <= most, f"it took {one.peak / MIB:.0f} MiB while {waiting / MIB:.0f} MiB waited")
        print(f"away for {away_for:.0f} s: {waiting / MIB:.0f} MiB waited, peak RSS {one.peak / MIB:.0f} MiB")
        return one.verdict(f"Postgres away for {seconds:.0f} s")


def held(one: Member, seconds: float) -> None:
    """The fault lasts; a process that ends is enough."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and one.service.status is None:
        time.sleep(0.2)


def test_an_immediate_stop(own: Scene, server: Server) -> None:
    stopped(own, server, signal.SIGQUIT, 3).survived()


def test_a_fast_stop(own: Scene, server: Server) -> None:
    stopped(own, server, signal.SIGINT, 1).survived()


def test_kill_9_of_the_backend(own: Scene, server: Server) -> None:
    backend_killed(own, server, 3).survived()


def test_away_for_longer_than_the_group_waits(own: Scene, server: Server) -> None:
    away(own, server, 12, rate=1_500, padding=12_000).survived()
