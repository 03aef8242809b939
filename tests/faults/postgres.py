"""A Postgres of a test module's own, which may be stopped, killed, filled up and set back."""

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePath

import psycopg

from deploy.local import environment, postgres
from tests import backend, servers
from tests.backend import Backend, Stack
from tests.pipeline import wait_for
from tests.servers import Database

_BEGINS_ANEW = "all server processes terminated; reinitializing"


class Server:
    """One cluster. `values` are the variables of its stack.env."""

    def __init__(self, stack: Stack) -> None:
        self.values = stack.values
        self._stack = stack

    @property
    def data(self) -> PurePath:
        """The data directory, for `shell`."""
        return self._stack.data("postgres")

    @property
    def up(self) -> bool:
        """Whether its postmaster runs."""
        return self._stack.up("postgres")

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """SIGINT: fast. SIGQUIT: immediate, so that the next start recovers from the log."""
        self._stack.send("postgres", how)

    def start(self) -> None:
        """Starts it again, on its port, and waits until it answers."""
        self._stack.start("postgres")

    def kill_backend_of(self, database: Database) -> None:
        """kill -9 of the backend that writes for ingestion: the others are ended, and the log is recovered."""
        begun = self.log().count(_BEGINS_ANEW)
        self._stack.kill("postgres", writer_of(database))
        # It may answer again before anybody has looked.
        wait_for(lambda: self.log().count(_BEGINS_ANEW) > begun, "the server ends all sessions")
        wait_for(self.answers, "the server has recovered")

    def log(self) -> str:
        """What it has logged."""
        return self._stack.log("postgres")

    def answers(self) -> bool:
        """Whether a query gets through."""
        return postgres.answers(environment.conninfo(self.values))

    def shell(self, script: str, *arguments: object) -> None:
        """Runs a script with $1, $2, … among its files."""
        self._stack.shell("postgres", script, *arguments)

    def disk(self, mib: int) -> AbstractContextManager[PurePath]:
        """A file system of its own for the block."""
        return self._stack.disk("postgres", mib)

    def save(self) -> None:
        """Stops it, copies its disk, starts it again."""
        self.stop(signal.SIGINT)
        backend.save(self._stack, "postgres")
        self.start()

    def restore(self) -> None:
        """Puts the older disk in: what was committed since then is gone."""
        self.stop()
        backend.restore(self._stack, "postgres")
        self.start()


@contextmanager
def running(from_: Backend, home: Path) -> Iterator[Server]:
    """A server for the block, with what `servers.database` needs."""
    with from_.stack(home, ("postgres",)) as stack:
        servers.make_template(stack.values)
        yield Server(stack)


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
