"""A Kafka of a test module's own, which may be stopped, frozen, killed and set back."""

import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from deploy.local import process
from deploy.local import stack as embedded
from tests import servers


class Broker:
    """One node. `values` are the variables of its stack.env."""

    def __init__(self, home: Path, values: Mapping[str, str]) -> None:
        self.values = values
        self._home = home

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal; after one that ends it, waits until it has ended."""
        node = self._node()
        node.send_signal(number)
        if number in (signal.SIGTERM, signal.SIGKILL):
            _, alive = psutil.wait_procs([node], timeout=30)
            assert not alive

    def start(self) -> None:
        """Starts it again, on its port, and waits until it answers."""
        embedded.up(self._home, ("kafka",), say=lambda _: None)

    def save(self, copy: Path) -> None:
        """Stops it, copies its disk, starts it again."""
        self.send(signal.SIGTERM)
        shutil.copytree(self._home / "kafka", copy)
        self.start()

    def restore(self, copy: Path) -> None:
        """Puts an older disk in: what came since then is gone."""
        self.send(signal.SIGKILL)
        shutil.rmtree(self._home / "kafka")
        shutil.copytree(copy, self._home / "kafka")
        self.start()

    def _node(self) -> psutil.Process:
        return process.find(self._home)["kafka"][0]


@contextmanager
def running(home: Path) -> Iterator[Broker]:
    """A broker for the block."""
    with servers.stack(home, ("kafka",)) as values:
        yield Broker(home, values)
