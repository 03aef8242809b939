"""A Kafka of a test module's own, which may be stopped, frozen, killed and set back."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import backend
from tests.backend import Backend, Stack


class Broker:
    """One node. `values` are the variables of its stack.env."""

    def __init__(self, stack: Stack) -> None:
        self.values = stack.values
        self._stack = stack

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal; after one that ends it, waits until it has ended."""
        self._stack.send("kafka", number)

    def start(self) -> None:
        """Starts it again, on its port, and waits until it answers."""
        self._stack.start("kafka")

    def save(self) -> None:
        """Stops it, copies its disk, starts it again."""
        self.send(signal.SIGTERM)
        backend.save(self._stack, "kafka")
        self.start()

    def restore(self) -> None:
        """Puts the older disk in: what came since then is gone."""
        self.send(signal.SIGKILL)
        backend.restore(self._stack, "kafka")
        self.start()


@contextmanager
def running(from_: Backend, home: Path) -> Iterator[Broker]:
    """A broker for the block."""
    with from_.stack(home, ("kafka",)) as stack:
        yield Broker(stack)
