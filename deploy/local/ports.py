"""Which port a server listens on: the wished one, or the next free one."""

import fcntl
import os
import socket
import tempfile
import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path

from shared.errors import PlumblineError

HOST = "127.0.0.1"
DEFAULTS = {
    "kafka": 9092,
    "kafka-controller": 19093,
    "postgres": 5432,
    "api": 8000,
    "prometheus": 9090,
    "alertmanager": 9093,
    "metrics-ingestion": 9101,
    "metrics-aggregation": 9102,
    "metrics-api": 9103,
    "metrics-simulator": 9104,
    "metrics-node": 9100,
}
TRIES = 500
POLL_S = 0.05


@dataclass(frozen=True)
class Claim:
    """A port and the lock that keeps another stack from choosing it before the server listens.

    The server inherits the lock, so it ends with the server, however that ends.
    """

    port: int
    lock: int

    def release(self) -> None:
        os.close(self.lock)


def candidates(wished: int, avoid: Container[int] = ()) -> list[int]:
    """The wished port, then those after it, in the order to try; none that `avoid` holds, none above 65535."""
    return [port for port in range(wished, min(wished + TRIES, 65536)) if port not in avoid]


def listening(port: int) -> bool:
    """Whether something on this machine holds the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def claim(wished: int, *, patience_s: float = 0.0, taken: Callable[[int], bool] = listening) -> Claim:
    """Claim the wished port, or the next that is neither taken nor claimed by another stack.

    `patience_s`: how long to wait for the wished one, where a server that was killed may still be letting go of it.
    """
    end = time.monotonic() + patience_s
    for port in candidates(wished):
        lock = _free(port, taken)
        while lock is None and time.monotonic() < end:
            time.sleep(POLL_S)
            lock = _free(port, taken)
        if lock is not None:
            return Claim(port, lock)
        end = 0.0
    raise PlumblineError(f"no free port from {wished} on: stop something that listens there")


def _free(port: int, taken: Callable[[int], bool]) -> int | None:
    """The lock of a port that nobody holds, or None."""
    lock = _lock(port)
    if lock is not None and taken(port):
        os.close(lock)
        return None
    return lock


def _lock(port: int) -> int | None:
    folder = Path(tempfile.gettempdir()) / f"plumbline-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / str(port), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock
