"""Servers for tests as processes of this machine: the embedded stack, in a folder and on ports of its own."""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.local import home as homes
from deploy.local import java, postgres, process, stack
from tests import servers
from tests.backend import ENDS, Backend, kafka_version, postgres_version


def backend() -> Backend:
    server = postgres.installed() / "pginstall18" / "bin" / "postgres"
    shown = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout
    versions = {
        "kafka": f"Kafka {kafka_version(jar.name for jar in java.jars().iterdir())}",
        "postgres": f"Postgres {postgres_version(shown)}",
    }
    return Backend("embedded (processes on this machine)", versions, running)


class Embedded:
    """A stack of stack.py's, by its home."""

    def __init__(self, home: Path, values: Mapping[str, str]) -> None:
        self.values = values
        self._home = home

    def start(self, part: str) -> None:
        stack.up(self._home, (part,), stack.Options(postgres=servers.POSTGRES), say=_quiet)

    def send(self, part: str, number: signal.Signals) -> None:
        processes = process.find(self._home)[part]
        if number in ENDS:
            assert process.stop(processes, number, 30.0), f"{part} had to be killed"
        else:
            processes[0].send_signal(number)

    def up(self, part: str) -> bool:
        return part in process.find(self._home)

    def log(self, part: str) -> str:
        return homes.log_file(self._home, part).read_text(errors="replace")

    def kill(self, part: str, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)

    def data(self, part: str) -> Path:
        folder = postgres.data_folder(self._home) if part == "postgres" else self._home / part
        assert folder is not None
        return folder

    def shell(self, part: str, script: str, *arguments: object) -> None:
        subprocess.run(["sh", "-euc", script, "sh", *map(str, arguments)], check=True)

    @contextmanager
    def disk(self, part: str, mib: int) -> Iterator[Path]:
        at = self.data(part).with_name("disk")
        at.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(at)]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode:
            at.rmdir()
            raise PermissionError(done.stderr.strip())
        try:
            at.chmod(0o700)
            if user := postgres.user():
                shutil.chown(at, user)
            yield at
        finally:
            subprocess.run(["umount", "--lazy", str(at)], check=True)
            at.rmdir()


@contextmanager
def running(home: Path, parts: Sequence[str]) -> Iterator[Embedded]:
    """These servers for the block."""
    first = random.randrange(20_000, 30_000)  # below the range that outgoing connections take theirs from
    options = stack.Options(
        wished={"kafka": first, "kafka-controller": first + 1, "postgres": first + 2},
        postgres=servers.POSTGRES,
    )
    try:
        yield Embedded(home, stack.up(home, parts, options, say=_quiet).values)
    finally:
        stack.reset(home, say=_quiet)
        shutil.rmtree(home, ignore_errors=True)  # what a test has put beside the data


def _quiet(_: str) -> None:
    """A test's servers come up in silence."""
