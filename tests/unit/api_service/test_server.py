"""What stands before the app: sizes, deadlines, numbers and proxies, seen from a socket."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry

from api_service.server import create_server, trusted_proxies
from api_service.settings import ApiSettings
from shared.errors import ConfigurationError
from tests.unit.api_service.serving import served

GET = b"GET /host HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /length HTTP/1.1\r\nHost: x\r\n"
SLOW = 0.5  # the shortest deadline there is


def made() -> FastAPI:
    app = FastAPI()

    @app.get("/host")
    async def host(request: Request) -> str:
        return f"{request.client.host if request.client else ''} {request.url.scheme}"

    @app.post("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    @app.post("/unread")
    async def unread() -> str:
        return "no"

    @app.get("/much")
    async def much() -> str:
        return "x" * 50_000_000

    return app


@contextmanager
def serving(**changed: object) -> Iterator[httpx.Client]:
    with served(made(), ApiSettings.model_validate(changed)) as client:
        yield client


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving() as made_client:
        yield made_client


@pytest.fixture(scope="module")
def hasty() -> Iterator[httpx.Client]:
    with serving(api_header_timeout_seconds=SLOW, api_body_timeout_seconds=SLOW) as made_client:
        yield made_client


def connected(client: httpx.Client) -> socket.socket:
    return socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=10)


def until_closed(line: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    came = b""
    try:
        while more := line.recv(65_536):
            came += more
    except ConnectionResetError:
        pass
    return came


def said(client: httpx.Client, *parts: bytes) -> bytes:
    with connected(client) as line:
        for part in parts:
            line.sendall(part)
        return until_closed(line)


def status(answer: bytes) -> int:
    assert b"application/problem+json" in answer
    assert b"connection: close" in answer
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"CONNECT example.org:80 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 700_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
        (b"\r\n" * 50_000, 431),
    ],
)
def test_heads_that_are_refused(client: httpx.Client, head: bytes, expected: int) -> None:
    assert status(said(client, head)) == expected


def test_a_head_in_parts_counts_as_a_whole(client: httpx.Client) -> None:
    part = b"X: " + b"x" * 9_000 + b"\r\n"
    with connected(client) as line:
        line.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(8):
            line.sendall(part)
            time.sleep(0.01)  # so that it comes by itself
        assert status(until_closed(line)) == 431


def test_a_large_body_beside_its_head_is_none_of_the_head(client: httpx.Client) -> None:
    body = b"x" * 200_000
    with connected(client) as line:
        for _ in range(2):
            line.sendall(POST + b"Content-Length: 200000\r\n\r\n" + body)
            assert b"200000" in line.recv(65_536)


@pytest.mark.parametrize("chunk", [b"1\r\nx\r\n" * 40_000, b"5;" + b"e" * 80_000 + b"\r\nhello\r\n"])
def test_chunks_that_are_mostly_frame_are_refused(client: httpx.Client, chunk: bytes) -> None:
    assert status(said(client, POST + b"Transfer-Encoding: chunked\r\n\r\n", chunk)) == 400


def test_trailers_are_bounded(client: httpx.Client) -> None:
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
    assert b"200 OK" in said(client, head + b"X: y\r\n\r\n" + GET.replace(b"Host: x", b"Connection: close"))
    assert status(said(client, head, b"X: " + b"y" * 500_000)) == 400


def test_requests_that_are_sent_ahead_are_answered_in_order_up_to_a_number(client: httpx.Client) -> None:
    last = b"GET /host HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert said(client, GET * 10 + last).count(b"200 OK") == 11
    assert b"400" not in said(client, GET * 5_000)


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_an_offer_of_another_protocol_is_declined_and_the_body_is_a_body(client: httpx.Client, protocol: bytes) -> None:
    offer = b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n"
    hidden = b"GET /host HTTP/1.1\r\n\r\n"
    for parts in ([hidden], [hidden[:5], hidden[5:]]):
        with connected(client) as line:
            line.sendall(POST + offer + b"Content-Length: %d\r\n\r\n" % len(hidden) + parts[0])
            for part in parts[1:]:
                time.sleep(0.05)  # so that it comes by itself
                line.sendall(part)
            assert line.recv(65_536).endswith(b"\r\n\r\n%d" % len(hidden))
            line.sendall(GET)
            assert b"200 OK" in line.recv(65_536)


def ended_after(line: socket.socket, send: Callable[[], object]) -> tuple[float, bytes]:
    """Seconds until the server hangs up, and what it said, while something is sent ten times a second."""
    began, came = time.monotonic(), b""
    line.settimeout(0.1)
    while time.monotonic() - began < 10:
        try:
            send()
            more = line.recv(65_536)
        except TimeoutError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            break
        if not more:
            break
        came += more
    return time.monotonic() - began, came


def test_a_connection_that_says_nothing_is_closed(hasty: httpx.Client) -> None:
    with connected(hasty) as line:
        seconds, came = ended_after(line, lambda: None)
    assert came == b""
    assert SLOW <= seconds < SLOW + 1.6


@pytest.mark.parametrize("before", [b"", GET])
def test_a_slow_head_is_a_408_on_a_new_connection_and_on_one_that_was_kept(hasty: httpx.Client, before: bytes) -> None:
    with connected(hasty) as line:
        if before:
            line.sendall(before)
            assert b"200 OK" in line.recv(65_536)
        line.sendall(b"GET / HTTP/1.1\r\nX: ")
        seconds, came = ended_after(line, lambda: line.send(b"x"))
    assert status(came) == 408
    assert seconds < SLOW + 1.6


@pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
def test_a_slow_body_is_a_408(hasty: httpx.Client, framing: bytes) -> None:
    with connected(hasty) as line:
        line.sendall(POST + framing + b"\r\n\r\n")
        seconds, came = ended_after(line, lambda: line.send(b"1\r\nx\r\n" if b"chunked" in framing else b"x"))
    assert status(came) == 408
    assert SLOW <= seconds < SLOW + 1.6


def test_a_connection_in_use_stays(hasty: httpx.Client) -> None:
    with connected(hasty) as line:
        for _ in range(15):
            line.sendall(GET)
            assert b"200 OK" in line.recv(65_536)
            time.sleep(0.1)


def test_a_client_that_does_not_take_its_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_service.server._UNREAD_S", 1.0)
    registry = CollectorRegistry()
    with served(made(), None, registry) as client:
        line = connected(client)
        line.sendall(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")

        def ended() -> float:
            labels = {"reason": "answer_unread"}
            return registry.get_sample_value("plumbline_api_connections_refused_total", labels) or 0.0

        deadline = time.monotonic() + 10
        while not ended():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert len(until_closed(line)) < 50_000_000
        line.close()


@pytest.mark.parametrize("body", [b"Content-Length: 50000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
def test_a_body_that_nobody_reads_is_not_waited_for_and_the_answer_arrives(client: httpx.Client, body: bytes) -> None:
    head = b"POST /unread HTTP/1.1\r\nHost: x\r\n"
    with connected(client) as line:
        line.sendall(head + body + (b"10000\r\n" if b"chunked" in body else b""))
        began = time.monotonic()
        seconds, came = ended_after(line, lambda: line.send(b"x" * 65_536))
    assert b"200 OK" in came
    assert b"connection: close" in came
    assert seconds < 3, time.monotonic() - began


def test_a_body_that_came_whole_keeps_the_connection_though_nobody_read_it(client: httpx.Client) -> None:
    with connected(client) as line:
        for _ in range(2):
            line.sendall(b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
            assert b"connection: close" not in line.recv(65_536)


def test_a_body_that_comes_later_keeps_the_connection(client: httpx.Client) -> None:
    with connected(client) as line:
        for _ in range(2):
            line.sendall(POST + b"Content-Length: 5\r\n\r\nhe")
            time.sleep(0.05)  # so that the rest comes by itself
            line.sendall(b"llo")
            answer = line.recv(65_536)
            assert answer.endswith(b"5")
            assert b"connection: close" not in answer


def test_one_connection_too_many_is_told_so_and_all_that_are_open_go_on() -> None:
    with serving(api_max_connections=3) as client:
        lines = [connected(client) for _ in range(3)]
        for line in lines:
            line.sendall(GET)
            assert b"200 OK" in line.recv(65_536)
        answer = said(client, GET)
        assert status(answer) == 503
        assert b"retry-after: 1\r\n" in answer
        flood = [connected(client) for _ in range(200)]
        answers = [until_closed(line) for line in flood]
        assert 0 < sum(map(bool, answers)) < 150, "the rest is closed without a word"
        for line in (*flood, lines.pop()):
            line.close()
        assert client.get("/host").status_code == 200
        for line in lines:
            line.sendall(GET)
            assert b"200 OK" in line.recv(65_536)
            line.close()


FORWARDED = [("X-Forwarded-For", "203.0.113.9, 198.51.100.7"), ("X-Forwarded-Proto", "https")]


@pytest.mark.parametrize(
    ("proxies", "seen"),
    [
        ("", "127.0.0.1 http"),
        ("10.0.0.0/8, 2001:db8::/32", "127.0.0.1 http"),
        ("127.0.0.1", "198.51.100.7 https"),
        ("127.0.0.0/8, 198.51.100.7", "203.0.113.9 https"),
    ],
)
def test_forwarded_headers_are_believed_of_trusted_proxies_only(proxies: str, seen: str) -> None:
    with serving(trusted_proxies=proxies) as client:
        assert client.get("/host", headers=FORWARDED).json() == seen


@pytest.mark.parametrize("text", ["*", "proxy.example", "10.0.0.1/8", "10.0.0.1 10.0.0.2", "300.0.0.1"])
def test_a_proxy_that_is_no_address_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"TRUSTED_PROXIES: .* → name addresses or networks"):
        trusted_proxies(f"192.0.2.1, {text}")


def test_more_connections_than_files_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 4096))
    with pytest.raises(ConfigurationError, match=r"API_MAX_CONNECTIONS: .* → allow fewer connections"):
        create_server(made(), ApiSettings.model_validate({"api_max_connections": 4_000}), CollectorRegistry())
