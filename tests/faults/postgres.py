"""A Postgres of a test module's own, which may be stopped, killed, filled up and set back."""

import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

from deploy.local import environment, home, postgres, process
from deploy.local import stack as embedded
from tests import servers
from tests.pipeline import wait_for
from tests.servers import Database


class Server:
    """One cluster. `values` are the variables of its stack.env."""

    def __init__(self, folder: Path, values: Mapping[str, str]) -> None:
        self.values = values
        self._home = folder

    @property
    def data(self) -> Path:
        """The data directory."""
        folder = postgres.data_folder(self._home)
        assert folder is not None
        return folder

    @property
    def up(self) -> bool:
        """Whether its postmaster runs."""
        return "postgres" in process.find(self._home)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """SIGINT: fast. SIGQUIT: immediate, so that the next start recovers from the log."""
        assert process.stop(process.find(self._home)["postgres"], how), "the postmaster had to be killed"

    def start(self) -> None:
        """Starts it again, on its port, and waits until it answers."""
        options = embedded.Options(postgres=servers.POSTGRES)
        embedded.up(self._home, ("postgres",), options, say=lambda _: None)

    def kill_backend_of(self, database: Database) -> None:
        """kill -9 of the backend that writes for ingestion: the others are ended, and the log is recovered."""
        os.kill(writer_of(database), signal.SIGKILL)
        wait_for(lambda: not self.answers(), "the server ends all sessions")
        wait_for(self.answers, "the server has recovered")

    def log(self) -> str:
        """What it has logged."""
        return home.log_file(self._home, "postgres").read_text(errors="replace")

    def answers(self) -> bool:
        """Whether a query gets through."""
        return postgres.answers(environment.conninfo(self.values))

    def save(self, copy: Path) -> None:
        """Stops it, copies its disk, starts it again."""
        self.stop(signal.SIGINT)
        shutil.copytree(self.data, copy)
        self.start()

    def restore(self, copy: Path) -> None:
        """Puts an older disk in: what was committed since then is gone."""
        self.stop()
        data = self.data
        shutil.rmtree(data)
        move(copy, data)
        self.start()


def move(folder: Path, place: Path) -> None:
    """Moves a folder of a server that is stopped, be it to another file system, and gives it to the server's user."""
    shutil.move(folder, place)
    if user := postgres.user():
        for path in (place, *place.rglob("*")):
            shutil.chown(path, user)


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A server for the block, with what `servers.database` needs."""
    with servers.stack(folder, ("postgres",)) as values:
        servers.make_template(values)
        yield Server(folder, values)


def writer_of(database: Database) -> int:
    """The process id of the backend that has ingestion's transaction."""
    found: list[int] = []

    def found_it() -> bool:
        with database.connect() as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL"
                " AND application_name = 'plumbline-ingestion'"
            )
            found[:] = [pid for (pid,) in rows]
        return bool(found)

    wait_for(found_it, "ingestion writes")
    return found[0]


def sessions(connection: psycopg.Connection, function: str) -> int:
    """Calls pg_cancel_backend or pg_terminate_backend on ingestion's sessions; on how many."""
    return len(
        connection.execute(
            f"SELECT {function}(pid) FROM pg_stat_activity"  # noqa: S608
            " WHERE datname = current_database() AND application_name = 'plumbline-ingestion'".encode()
        ).fetchall()
    )
