"""Postgres's disk is full, then has room again: a small tmpfs, which takes the right to mount one (root)."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from deploy.local import postgres as embedded
from tests import servers
from tests.faults import postgres
from tests.faults.member import Member, member
from tests.faults.postgres import Server
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.pipeline import wait_for
from tests.servers import Topics


class Disk:
    """A file system of its own, some MiB large."""

    def __init__(self, at: Path) -> None:
        self.at = at
        self._filler = at / "filler"

    def fill(self) -> None:
        """Nothing is left of it."""
        with self._filler.open("ab") as filler, suppress(OSError):
            while filler.write(b"\0" * 65_536):
                filler.flush()

    def free(self) -> None:
        """What the filler took is there again."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def disk(server: Server, name: str, mib: int) -> Iterator[Disk]:
    """A tmpfs beside the server's data, for its user."""
    at = server.data.with_name(name)
    at.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(at)], capture_output=True)
    if done.returncode:
        at.rmdir()
        pytest.skip(f"NOT TESTED: a small disk takes the right to mount one: {done.stderr.decode().strip()}")
    if user := embedded.user():
        shutil.chown(at, user)
    at.chmod(0o700)
    try:
        yield Disk(at)
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


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
    with disk(server, "small", 96) as small, servers.database(server.values) as database:
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
    with disk(server, "log", 512) as small:
        server.stop()
        place = small.at / "pg_wal"
        postgres.move(log, place)
        log.symlink_to(place)
        server.start()
        yield small
        small.free()
        if server.up:
            server.stop()
        log.unlink()
        postgres.move(place, log)
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
