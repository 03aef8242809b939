"""A load over HTTP: single events, each of its connections posting the next one as soon as the last is answered."""

import itertools
import socket
import threading
import time
from collections import Counter

from tests.faults.load import Accepted, Shape

_TIMEOUT_S = 20.0
_AGAIN_S = 0.05  # after a connection that was refused or broke


class Posts:
    """From `start` until `stop`. `accepted`: what got a 202; `unknown`: what got anything else, and may be there."""

    def __init__(self, port: int, token: str, shape: Shape, connections: int = 16) -> None:
        self.accepted = Accepted(shape)
        self.statuses: Counter[int] = Counter()
        self.slowest_s = 0.0  # of all answers
        self.without_retry_after = 0  # of those that are 503
        self._port, self._shape = port, shape
        self._head = f"POST /ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n".encode()
        self._numbers, self._lock = itertools.count(shape.first), threading.Lock()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(connections)]

    def start(self) -> None:
        """Begins."""
        for thread in self._threads:
            thread.start()

    @property
    def running(self) -> bool:
        """Whether more is to come."""
        return not self._stopping.is_set()

    def stop(self) -> None:
        """Ends once all that was sent is answered."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * _TIMEOUT_S)
            assert not thread.is_alive(), "the load doesn't end"

    def _run(self) -> None:
        line: socket.socket | None = None
        while not self._stopping.is_set():
            number = next(self._numbers)
            try:
                if line is None:
                    line = socket.create_connection(("127.0.0.1", self._port), _TIMEOUT_S)
                if not self._post(line, number):
                    line.close()
                    line = None
            except OSError:
                self.accepted.unknown.add(number)
                if line is not None:
                    line.close()
                    line = None
                self._stopping.wait(_AGAIN_S)
        if line is not None:
            line.close()

    def _post(self, line: socket.socket, number: int) -> bool:
        """Whether the connection may be used again."""
        value, began = self._shape.value(number), time.monotonic()
        line.sendall(self._head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(value) + value)
        head = _answered(line)
        status = int(head[9:12])
        if status == 202:
            self.accepted.records.append((number, -1, -1))
        else:
            self.accepted.unknown.add(number)
        with self._lock:
            self.statuses[status] += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.without_retry_after += status == 503 and b"\r\nretry-after: " not in head
        return b"\r\nconnection: close" not in head


def _answered(line: socket.socket) -> bytes:
    """The head of an answer whose body has come too."""
    came = b""
    while True:
        more = line.recv(65_536)
        if not more:
            raise ConnectionResetError
        came += more
        head, end, body = came.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]):
            return head.lower()
