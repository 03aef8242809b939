"""One server in a container, and its files in a volume, which outlives the server's process but not the session."""

import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import PurePosixPath

import docker
from testcontainers.core.container import DockerContainer, ExecConfig
from testcontainers.core.labels import create_labels

from deploy.local import process
from shared.errors import PlumblineError
from tests import engine
from tests.backend import ENDS

READY_S = 90.0
STOP_S = 30
_DISK = PurePosixPath("/disk")


class Node:
    """`make` gives a container that isn't started yet, `files` is where it has its volume, `answers` whether it serves.

    Two containers, in fact: one beside it reaches the files while the server is stopped, and keeps them mounted.
    """

    def __init__(
        self,
        client: docker.DockerClient,
        make: Callable[[], DockerContainer],
        files: PurePosixPath,
        answers: Callable[[], bool],
    ) -> None:
        self._client = client
        self._make = make
        self._answers = answers
        self._mounts = {self._volume(): files}
        self._server: DockerContainer | None = None
        self._beside: DockerContainer | None = None

    def create(self) -> None:
        """Makes the container, starts it, and waits until it answers."""
        self._server = self._make()
        for volume, at in self._mounts.items():
            self._server.with_volume_mapping(volume, str(at), "rw")
        self._server.start()
        self._wait()

    def remove(self) -> None:
        """Removes whatever there is of it."""
        self._remove_containers()
        for volume in self._mounts:
            self._client.volumes.get(volume).remove(force=True)

    def start(self) -> None:
        """Starts it again, and waits until it answers."""
        self._running.get_wrapped_container().start()
        self._wait()

    def send(self, number: signal.Signals) -> None:
        """Sends its first process a signal; after one that ends it, waits until it has ended with all others."""
        container = self._running.get_wrapped_container()
        container.kill(signal=number.name)
        if number in ENDS:
            container.wait(timeout=STOP_S)

    def up(self) -> bool:
        """Whether its first process runs."""
        self._running.reload()
        return self._running.status == "running"

    def log(self) -> str:
        """What it has printed."""
        return b"".join(self._running.get_logs()).decode(errors="replace")

    def kill(self, pid: int) -> None:
        """kill -9 of a process by the number that it has in there."""
        _run(self._running, "kill -9 $1", pid)

    def shell(self, script: str, *arguments: object) -> None:
        """Runs a script as root among its files."""
        if self._beside is None:
            self._beside = DockerContainer(
                self._running.image,
                volumes_from=[self._running.get_container_id()],
                entrypoint=["sleep", "infinity"],
                user="root",
                network_mode="none",
                labels={engine.LABEL: "files"},
            )
            self._beside.start()
        _run(self._beside, script, *arguments)

    @contextmanager
    def disk(self, mib: int, owner: PurePosixPath) -> Iterator[PurePosixPath]:
        """A small file system for the block, of the same user as `owner`. A container can't be given one later."""
        volume = self._volume({"type": "tmpfs", "device": "tmpfs", "o": f"size={mib}m"})
        self._mounts[volume] = _DISK
        try:
            self._again()
            self.shell('chown "$(stat -c %u:%g "$1")" "$2"; chmod 700 "$2"', owner, _DISK)
            yield _DISK
        finally:
            del self._mounts[volume]
            self._again()
            self._client.volumes.get(volume).remove(force=True)

    @property
    def _running(self) -> DockerContainer:
        assert self._server is not None, "it was never created"
        return self._server

    def _again(self) -> None:
        """Another container with the same files, on the same port."""
        self._running.get_wrapped_container().stop(timeout=STOP_S)
        self._remove_containers()
        self.create()

    def _remove_containers(self) -> None:
        with ExitStack() as removed:  # each, whatever becomes of the other
            for container in (self._server, self._beside):
                if container is not None:
                    removed.callback(container.stop)
        self._beside = self._server = None

    def _volume(self, options: dict[str, str] | None = None) -> str:
        name = f"plumbline-tests-{uuid.uuid4().hex}"
        labels = create_labels("", {engine.LABEL: "files"})
        self._client.volumes.create(name, driver="local", driver_opts=options, labels=labels)
        return name

    def _wait(self) -> None:
        if process.until(lambda: not self.up() or self._answers(), READY_S) and self.up():
            return
        raise PlumblineError(f"{self._running.image} isn't ready. The end of its log:\n{self.log()[-2_000:]}")


def _run(container: DockerContainer, script: str, *arguments: object) -> None:
    done = container.exec(ExecConfig(["sh", "-euc", script, "sh", *map(str, arguments)], user="root"))
    assert done.exit_code == 0, done.output.decode(errors="replace")
