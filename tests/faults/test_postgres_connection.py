"""What can happen to a connection to Postgres: ended, cut at the worst moments, frozen, left behind half open."""

import signal
import time

import pytest

from deploy.local import process
from tests.aggregated import rows
from tests.faults import postgres
from tests.faults.member import member
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.pipeline import wait_for
from tests.proxy import Proxy, proxied

IN_COPY = b"COPY events", 200_000  # bytes later: in the middle of a large batch's rows, some of which are in the table
BEFORE_COMMIT = b"COMMIT", None
AT_COMMIT = b"COMMIT", 1  # the message ends with a NUL: the server has all of it


def through(proxy: Proxy) -> dict[str, object]:
    return {"DB_HOST": "127.0.0.1", "DB_PORT": proxy.port, "BATCH_MAX_EVENTS": 10_000}


def before(scene: Scene) -> tuple[str, int]:
    """Where the scene's Postgres listens."""
    environment = scene.database.environment()
    return environment["DB_HOST"], int(environment["DB_PORT"])


def ended(scene: Scene, function: str, seconds: float) -> Verdict:
    """Every 200 ms, so that hardly a batch gets through."""
    with scene.load(), member(scene) as one:
        scene.flows()
        until = time.monotonic() + seconds
        with scene.database.connect() as connection:
            while time.monotonic() < until:
                scene.strike()
                postgres.sessions(connection, function)
                time.sleep(0.2)
        scene.healed()
        one.met("terminating connection", "canceling statement")
        return one.verdict(f"{function} every 200 ms for {seconds:.0f} s")


def cut(scene: Scene, at: tuple[bytes, int | None], where: str, times: int) -> Verdict:
    with proxied(*before(scene)) as proxy, scene.load(), member(scene, **through(proxy)) as one:
        for turn in range(1, times + 1):
            scene.flows()
            sprung = proxy.trap(*at, proxy.cut)
            with scene.load(burst=10_000, first=turn * 1_000_000):
                wait_for(sprung.is_set, "a batch is on its way")
            scene.strike()
            proxy.restore()
            scene.healed()
            scene.recovered(10)
        one.met("database_away")
        return one.verdict(f"connection cut {where}")


def frozen(scene: Scene, seconds: float) -> Verdict:
    """For longer than the server waits for a client inside a transaction, and the group for a member."""
    with proxied(*before(scene)) as proxy, scene.load(rate=500), member(scene, **through(proxy)) as one:
        scene.flows()
        sprung = proxy.trap(*BEFORE_COMMIT, proxy.freeze)
        wait_for(sprung.is_set, "a batch is on its way")
        scene.strike()
        until = time.monotonic() + seconds
        one.complains()
        time.sleep(max(0.0, until - time.monotonic()))  # that is the fault
        proxy.thaw()
        scene.healed()
        one.met("database_away")
        return one.verdict(f"network frozen for {seconds:.0f} s")


def left_behind(scene: Scene, at: tuple[bytes, int | None], where: str) -> Verdict:
    """A host that vanished, to the server: its session stays, with all that it holds, and says no more."""
    with proxied(*before(scene)) as proxy, scene.load(rate=500):
        with member(scene, **through(proxy)) as one:
            scene.flows()
            sprung = proxy.trap(*at, proxy.freeze)
            with scene.load(burst=10_000, first=1_000_000):
                wait_for(sprung.is_set, "a batch is on its way")
            scene.strike()
            silent = postgres.writer_of(scene.database)
            one.service.send(signal.SIGKILL)
            one.service.wait()
        scene.healed()
        with scene.service():
            ended = process.until(lambda: silent not in backends(scene), 40)
            scene.expect(ended, "the session that says no more is still there")
            proxy.cut()
            return scene.verdict(f"connection left half open {where}")


def backends(scene: Scene) -> set[int]:
    """Process ids of the database's sessions."""
    return {pid for (pid,) in rows(scene.database, "SELECT pid FROM pg_stat_activity")}


def test_connections_are_terminated_in_a_loop(scene: Scene, long: bool) -> None:
    ended(scene, "pg_terminate_backend", 30 if long else 3).survived()


@pytest.mark.long
def test_statements_are_cancelled_in_a_loop(scene: Scene, long: bool) -> None:
    """What a statement_timeout does: SQLSTATE 57014."""
    ended(scene, "pg_cancel_backend", 30 if long else 3).survived()


@pytest.mark.parametrize(
    ("at", "where"),
    [
        (IN_COPY, "in the middle of COPY"),
        pytest.param(BEFORE_COMMIT, "before COMMIT arrives", marks=pytest.mark.long),
        (AT_COMMIT, "at COMMIT's reply"),
    ],
    ids=["copy", "before-commit", "commit"],
)
def test_a_connection_is_cut(scene: Scene, at: tuple[bytes, int | None], where: str) -> None:
    cut(scene, at, where, 5).survived()


@pytest.mark.long
def test_the_network_is_frozen(scene: Scene, long: bool) -> None:
    frozen(scene, 90 if long else 18).survived()


@pytest.mark.parametrize(
    ("at", "where"),
    [(IN_COPY, "in the middle of COPY"), pytest.param(BEFORE_COMMIT, "before COMMIT", marks=pytest.mark.long)],
    ids=["copy", "commit"],
)
def test_a_connection_is_left_half_open(scene: Scene, at: tuple[bytes, int | None], where: str) -> None:
    left_behind(scene, at, where).survived()


@pytest.mark.long
def test_control_a_lost_reply_is_taken_for_a_failure(scene: Scene) -> None:
    """Either of the two keeps the events single: the look at what was committed, and the compare-and-set."""
    scene.without = "compare_and_set+look_after_commit"
    assert cut(scene, AT_COMMIT, "at COMMIT's reply", 1).doubled > 0


@pytest.mark.long
def test_control_a_session_that_nobody_ends(scene: Scene) -> None:
    scene.without = "limits_of_silence"
    verdict = left_behind(scene, IN_COPY, "in the middle of COPY")
    assert "the session that says no more is still there" in verdict.problems
