"""Requests over connections that stay open, each asking again as soon as it is answered: as light as Python can.

One thread and one epoll; requests are ready bytes, and of an answer only the status and the length are looked at.
"""

import select
import socket
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from deploy.local.ports import HOST
from shared.errors import PlumblineError

_TIMEOUT_S = 30.0
_AT_ONCE = 1 << 18
_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass
class Answers:
    """What came back: waits in ms, of requests in the order in which they were answered."""

    waits_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    kept: dict[int, bytes] = field(default_factory=dict)  # whole answers, by the request's number
    size: int = 0  # bytes of all of them
    seconds: float = 0.0
    client_cpu_s: float = 0.0


@dataclass
class _Line:
    """A connection: the request that it waits for, since when, and what has come of its answer."""

    socket: socket.socket
    number: int = -1
    since: float = 0.0
    came: bytes = b""


def ask(
    port: int, requests: Iterable[bytes], connections: int = 16, seconds: float | None = None, keep_every: int = 0
) -> Answers:
    """Sends requests until there are no more, or for so many seconds; keeps every n-th answer (0: none).

    Raises:
        PlumblineError: a connection was closed, or nothing came for a long time.
    """
    answers, source = Answers(), enumerate(requests)
    lines = {line.socket.fileno(): line for line in (_Line(_connected(port)) for _ in range(connections))}
    poll = select.epoll()
    began, cpu = time.perf_counter(), time.process_time()
    try:
        waiting = 0
        for number, line in lines.items():
            poll.register(number, select.EPOLLIN)
            waiting += _next(line, source)
        while waiting:
            ready = poll.poll(_TIMEOUT_S)
            if not ready:
                raise PlumblineError(f"no answer within {_TIMEOUT_S:.0f} s → see the API's log above")
            for number, _ in ready:
                line = lines[number]
                if not _received(line):
                    continue
                now = time.perf_counter()
                _note(answers, line, now, keep_every)
                waiting -= 1
                if seconds is None or now - began < seconds:
                    waiting += _next(line, source)
    finally:
        poll.close()
        for line in lines.values():
            line.socket.close()
    answers.seconds, answers.client_cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return answers


def offer(port: int, requests: Iterator[bytes], rate: float, seconds: float, connections: int = 64) -> Answers:
    """Sends so many requests a second, whatever comes back: a wait begins when its request was due.

    Raises:
        PlumblineError: a connection was closed, or nothing came for a long time.
    """
    answers, idle = Answers(), deque(_Line(_connected(port)) for _ in range(connections))
    lines = {line.socket.fileno(): line for line in idle}
    poll = select.epoll()
    for number in lines:
        poll.register(number, select.EPOLLIN)
    began, cpu, total = time.perf_counter(), time.process_time(), round(rate * seconds)
    sent = 0
    while sent < total or len(idle) < connections:
        now = time.perf_counter()
        while idle and sent < total and began + sent / rate <= now:
            line = idle.popleft()
            line.number, line.came, line.since = sent, b"", began + sent / rate
            line.socket.sendall(next(requests))
            sent += 1
        waits = sent < total and idle
        ready = poll.poll(max(0.0, began + sent / rate - time.perf_counter()) if waits else _TIMEOUT_S)
        if not ready and not waits:
            raise PlumblineError(f"no answer within {_TIMEOUT_S:.0f} s → see the API's log above")
        for number, _ in ready:
            if _received(lines[number]):
                _note(answers, lines[number], time.perf_counter(), 0)
                idle.append(lines[number])
    poll.close()
    for line in lines.values():
        line.socket.close()
    answers.seconds, answers.client_cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return answers


def length(answer: bytes) -> int | None:
    """How many bytes the answer has in all, by its head; None: the head isn't whole yet."""
    end = answer.find(_END)
    if end < 0:
        return None
    head = answer[:end].lower()
    at = head.find(_LENGTH)
    body = 0 if at < 0 else int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
    return end + len(_END) + body


def status(answer: bytes) -> int:
    """Of the status line."""
    return int(answer[9:12])


def body(answer: bytes) -> bytes:
    """What follows the head."""
    return answer.partition(_END)[2]


def header(answer: bytes, name: str) -> str | None:
    """A header's value."""
    head = answer.partition(_END)[0].decode("latin-1")
    for line in head.split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return None


def _connected(port: int) -> socket.socket:
    made = socket.create_connection((HOST, port), _TIMEOUT_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _next(line: _Line, source: Iterator[tuple[int, bytes]]) -> int:
    """Sends the next request; 0: there is none."""
    for number, request in source:
        line.number, line.came, line.since = number, b"", time.perf_counter()
        line.socket.sendall(request)
        return 1
    return 0


def _received(line: _Line) -> bool:
    """Takes what is there; whether the answer is whole."""
    came = line.socket.recv(_AT_ONCE)
    if not came:
        raise PlumblineError("the API closed a connection → see its log above")
    line.came += came
    needed = length(line.came)
    return needed is not None and len(line.came) >= needed


def _note(answers: Answers, line: _Line, now: float, keep_every: int) -> None:
    answers.waits_ms.append((now - line.since) * 1_000)
    answers.statuses[status(line.came)] += 1
    answers.size += len(line.came)
    if keep_every and line.number % keep_every == 0:
        answers.kept[line.number] = line.came
