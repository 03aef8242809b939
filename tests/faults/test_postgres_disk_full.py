"""Postgres's disk is full, then has room again: a small tmpfs, which takes the right to mount one, or a container."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import PurePath

import psycopg
import pytest
from psycopg import sql

from tests import servers
from tests.faults.member import Member, member
from tests.faults.postgres import Server
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.pipeline import wait_for
from tests.servers import Topics


class Disk:
    """A file system of the server's own, some MiB large, at a place that the server sees."""

    def __init__(self, server: Server, at: PurePath) -> None:
        self.at = at
        self._server = server
        self._filler = at / "filler"

    def fill(self) -> None:
        """Nothing is left of it."""
        self._server.shell('cat /dev/zero >>"$1" 2>/dev/null || true', self._filler)

    def free(self) -> None:
        """What the filler took is there again."""
        self._server.shell('rm -f "$1"', self._filler)


@contextmanager
def disk(server: Server, mib: int) -> Iterator[Disk]:
    """A small disk of the server's."""
    with ExitStack() as mounted:
        try:
            at = mounted.enter_context(server.disk(mib))
        except PermissionError as error:
            pytest.skip(f"NOT TESTED: a small disk takes the right to mount one: {error}")
        yield Disk(server, at)


def tables_full(scene: Scene, small: Disk, times: int) -> Verdict:
    """Where the tables are: SQLSTATE 53100."""
    with scene.load(rate=3_000), member(scene) as one:
        for _ in range(times):
            scene.flows()
            scene.strike()
            small.fill()
            complained(one, scene)
            small.free()
            scene.healed()
            if one.service.status is not None:
                break
            scene.recovered()
        one.met("No space left on device")
        return one.verdict("disk full: tables")


def complained(one: Member, scene: Scene) -> None:
    """It meets the full disk three times."""
    met = one.service.output().count("No space left")
    scene.awaits(
        lambda: one.service.status is not None or one.service.output().count("No space left") >= met + 3,
        "three attempts on a full disk",
    )
    one.complains()


def log_full(scene: Scene, server: Server, small: Disk) -> Verdict:
    """Where the log is: Postgres panics, and can't recover before there is room."""
    with scene.load(rate=1_000), member(scene) as one:
        scene.flows()
        scene.strike()
        small.fill()
        panics = server.log().count("PANIC")
        wait_for(lambda: not switched(scene), "there is no room for the log")
        wait_for(lambda: server.log().count("PANIC") > panics, "Postgres panics")
        one.complains()
        small.free()
        if not server.up:
            server.start()
        wait_for(server.answers, "Postgres has recovered")
        scene.healed()
        return one.verdict("disk full: write-ahead log")


def switched(scene: Scene) -> bool:
    """Whether there was room for another segment of the log."""
    try:
        with scene.database.connect() as connection:
            connection.execute("SELECT pg_switch_wal(), pg_logical_emit_message(false, 'filler', repeat('x', 1000000))")
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def tablespace(server: Server, topics: Topics, report: Callable[[Verdict], None]) -> Iterator[tuple[Scene, Disk]]:
    """A scene whose database is on a small disk."""
    with disk(server, 96) as small, servers.database(server.values) as database:
        with psycopg.connect(database.conninfo, dbname="postgres", autocommit=True) as connection:
            place = sql.Literal(str(small.at))
            connection.execute(sql.SQL("CREATE TABLESPACE small LOCATION {}").format(place))
            connection.execute(f"ALTER DATABASE {database.name} SET TABLESPACE small".encode())
        yield Scene(topics, database, report), small
        with psycopg.connect(database.conninfo, dbname="postgres", autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {database.name} SET TABLESPACE pg_default".encode())
            connection.execute("DROP TABLESPACE small")


@pytest.fixture
def log_on_small_disk(server: Server) -> Iterator[Disk]:
    """The log of the server is on a small disk."""
    log = server.data / "pg_wal"
    with disk(server, 512) as small:
        server.stop()
        place = small.at / "pg_wal"
        server.shell('mv "$1" "$2"; ln -s "$2" "$1"', log, place)
        server.start()
        yield small
        small.free()
        if server.up:
            server.stop()
        server.shell('rm "$1"; mv "$2" "$1"', log, place)
        server.start()


def test_the_tables_disk_is_full(tablespace: tuple[Scene, Disk]) -> None:
    tables_full(*tablespace, 3).survived()


@pytest.mark.long
def test_the_logs_disk_is_full(own: Scene, server: Server, log_on_small_disk: Disk) -> None:
    log_full(own, server, log_on_small_disk).survived()


@pytest.mark.long
def test_control_a_full_disk_is_taken_for_bad_events(tablespace: tuple[Scene, Disk]) -> None:
    scene, small = tablespace
    scene.without = "passing_errors"
    assert tables_full(scene, small, 1).problems
