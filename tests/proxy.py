"""A TCP proxy in front of a server, to take the server away and bring it back."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class _Trap:
    """Counts what goes to the server from `text` on."""

    def __init__(self, text: bytes, after: int | None, act: Callable[[], None]) -> None:
        self.act = act
        self.sprung = threading.Event()
        self._text = text
        self._after = after
        self._left: int | None = None

    def end(self, data: bytes) -> int | None:
        """How much of this still goes through before the trap springs, if it does."""
        if self._left is None:
            at = data.find(self._text)
            if at < 0:
                return None
            if self._after is None:
                return 0
            self._left = at + len(self._text) + self._after
        if self._left <= len(data):
            return self._left
        self._left -= len(data)
        return None


class Proxy:
    """Listens on `port`. `cut`: connections break and new ones are refused. `freeze`: nothing gets through."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._flows = threading.Event()
        self._flows.set()
        self._open: list[socket.socket] = []
        self._opening = threading.Lock()
        self._trap: _Trap | None = None
        self._listen(0)
        self.port = self._listening.getsockname()[1]

    def cut(self) -> None:
        with self._opening:  # one that is on its way in is cut as well
            _close(self._listening)
            while self._open:
                _close(self._open.pop())

    def restore(self) -> None:
        self._listen(self.port)

    def freeze(self) -> None:
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    def trap(self, text: bytes, after: int | None, act: Callable[[], None]) -> threading.Event:
        """Acts once so many more bytes than `text` have gone to the server, or, for None, before any of it has.

        The event says that it has acted.
        """
        self._trap = _Trap(text, after, act)
        return self._trap.sprung

    def _listen(self, port: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            with self._opening:
                if listening.fileno() < 0:
                    near.close()
                    return
                try:
                    far = socket.create_connection(self._target)
                except OSError:  # the server is away, for now
                    near.close()
                    continue
                self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink, sink is far), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, outgoing: bool) -> None:
        try:
            while data := source.recv(65536):
                self._flows.wait()
                trap = self._trap
                end = trap.end(data) if trap and outgoing else None
                if trap is not None and end is not None:
                    sink.sendall(data[:end])
                    self._trap, data = None, data[end:]
                    trap.act()
                    trap.sprung.set()
                    self._flows.wait()
                sink.sendall(data)
        except OSError:
            data = b""
        _close(source)
        _close(sink)


@contextmanager
def proxied(host: str, port: int) -> Iterator[Proxy]:
    proxy = Proxy(host, port)
    try:
        yield proxy
    finally:
        proxy.thaw()
        proxy.cut()


def _close(one: socket.socket) -> None:
    with suppress(OSError):  # the other side may be faster
        one.shutdown(socket.SHUT_RDWR)
    one.close()
