"""Clients that are slow, silent or speak a broken HTTP: they are cut off, and nobody is answered for another."""

import random
import re
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.integration.api_service.security.door import HOST, Door, event

Note = Callable[[str, str], None]
HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSED_WITHIN_S = 10.0


def head(door: Door, line: str = "POST /ingest HTTP/1.1", *more: str, token: str | None = None) -> bytes:
    """A request's head, with the empty line."""
    lines = [line, "Host: a", "Content-Type: application/json", *more]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def slow_clients(door: Door) -> dict[str, tuple[bytes, bytes]]:
    """What each sends at once, and what it then sends a byte a second of."""
    token, body = door.token(), event("prober-1")
    length = f"Content-Length: {len(body)}"
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    form = [f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}"]
    found = {
        "says nothing": (b"", b""),
        "the head a byte a second": (b"", HIDDEN),
        "half a head": (b"GET /healthz HTTP/1.1\r\nHost:", b""),
        "headers without an end": (b"GET /healthz HTTP/1.1\r\n", b"X: y\r\n" * 9),
        "idle after an answer": (HIDDEN, b""),
        "a second head a byte a second": (HIDDEN, HIDDEN),
        "form a byte a second": (head(door, "POST /auth/token HTTP/1.1", *form), b"grant_type=client_credentials"),
    }
    for path in ("/ingest", "/vital-data"):
        line = f"POST {path} HTTP/1.1"
        found |= {
            f"{path}: body a byte a second": (head(door, line, length, token=token), body),
            f"{path}: no body": (head(door, line, length, token=token), b""),
            f"{path}: chunks a byte a second": (head(door, line, "Transfer-Encoding: chunked", token=token), chunked),
            f"{path}: half a body, then nothing": (head(door, line, length, token=token) + body[:9], b""),
            f"{path}: without a token, body a byte a second": (head(door, line, length), body),
        }
    return found


def test_slow_and_silent_connections_are_closed_in_time(door: Door, note: Note) -> None:
    began, closed, watch = time.monotonic(), dict[str, float](), selectors.DefaultSelector()
    for name, (first, drip) in slow_clients(door).items():
        connection = door.connect()
        connection.sendall(first)
        connection.setblocking(False)
        watch.register(connection, selectors.EVENT_READ, (name, iter(drip)))
    beat = began
    while watch.get_map() and time.monotonic() - began < CLOSED_WITHIN_S + 2:
        for ready, _ in watch.select(0.1):
            if _ended(ready.fileobj):
                closed[ready.data[0]] = time.monotonic() - began
                watch.unregister(ready.fileobj)
                ready.fileobj.close()  # type: ignore[union-attr]
        if time.monotonic() - beat >= 1:
            beat += 1
            for open_one in list(watch.get_map().values()):
                _drip(open_one.fileobj, open_one.data[1])
        door.client.get("/healthz")  # others are served meanwhile
    left = [each.data[0] for each in watch.get_map().values()]
    for each in list(watch.get_map().values()):
        each.fileobj.close()  # type: ignore[union-attr]
    watch.close()
    assert left == [], "still open"
    for name, seconds in closed.items():
        assert seconds <= CLOSED_WITHIN_S, (name, seconds)
    note(
        "slow headers or body (1 byte/s), idle connection",
        f"all {len(closed)} closed within {max(closed.values()):.1f} s",
    )


def _ended(connection: object) -> bool:
    assert isinstance(connection, socket.socket)
    try:
        return connection.recv(65_536) == b""
    except ConnectionError:
        return True


def _drip(connection: object, rest: Iterator[int]) -> None:
    assert isinstance(connection, socket.socket)
    for byte in rest:
        try:
            connection.send(bytes([byte]))
        except ConnectionError:
            return
        return


def exchange(door: Door, data: bytes, quiet_s: float = 0.4) -> bytes:
    """All that comes back until the connection is closed, or nothing comes for a while."""
    came = b""
    with door.connect() as connection:
        try:
            connection.sendall(data)
            connection.settimeout(quiet_s)
            while part := connection.recv(65_536):
                came += part
        except (TimeoutError, ConnectionError):
            return came
    return came


def statuses(came: bytes) -> list[int]:
    """Of each answer."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", came)]


TE, BODY = "Transfer-Encoding: chunked", b"0\r\n\r\n"
LONG = len(BODY + HIDDEN)
# Each has a second request inside that one reader would see, and another one wouldn't.
AMBIGUOUS = {
    "CL and TE": ([f"Content-Length: {LONG}", TE], BODY),
    "TE and CL": ([TE, f"Content-Length: {LONG}"], BODY),
    "CL 5 and TE": (["Content-Length: 5", TE], BODY),
    "two lengths": (["Content-Length: 0", f"Content-Length: {LONG}"], b""),
    "two lengths, the longer first": ([f"Content-Length: {LONG}", "Content-Length: 0"], b""),
    "a list of lengths": ([f"Content-Length: 0, {LONG}"], b""),
    "TE twice": ([TE, TE, f"Content-Length: {LONG}"], BODY),
    "TE xchunked": (["Transfer-Encoding: xchunked", f"Content-Length: {LONG}"], BODY),
    "TE chunked, identity": (["Transfer-Encoding: chunked, identity", f"Content-Length: {LONG}"], BODY),
    "TE identity, chunked": (["Transfer-Encoding: identity, chunked", f"Content-Length: {LONG}"], BODY),
    "TE with a space before its colon": (["Transfer-Encoding : chunked", f"Content-Length: {LONG}"], BODY),
    "TE after a vertical tab": (["Transfer-Encoding: \x0bchunked", f"Content-Length: {LONG}"], BODY),
    "TE after a bare LF": ([f"X: y\nTransfer-Encoding: chunked\r\nContent-Length: {LONG}"], BODY),
    "TE after a bare CR": ([f"X: y\rTransfer-Encoding: chunked\r\nContent-Length: {LONG}"], BODY),
    "TE folded": ([f"Transfer-Encoding:\r\n chunked\r\nContent-Length: {LONG}"], BODY),
    "length folded": (["Content-Length: 0\r\n 0"], b""),
    "length +0": (["Content-Length: +0"], b""),
    "length -1": (["Content-Length: -1"], b""),
    "length 0x0": (["Content-Length: 0x0"], b""),
    "length of two numbers": (["Content-Length: 0 0"], b""),
    "length of 30 digits": (["Content-Length: " + "9" * 30], b""),
    "length that wraps around": (["Content-Length: 18446744073709551616"], b""),
    "length that is nothing": (["Content-Length: "], b""),
    "length in other digits": (["Content-Length: \xb2"], b""),
    "a name with a space": (["Content-Length : 0", f"Content-Length: {LONG}"], b""),
    "a name with NUL": (["Content-Length\x00: 0", f"Content-Length: {LONG}"], b""),
    "a value with NUL": (["X: a\x00b"], b""),
    "a line without a colon": (["Content-Length 0"], b""),
    "chunk size of 17 digits": ([TE], b"1" + b"0" * 16 + b"\r\n"),
    "chunk size -1": ([TE], b"-1\r\n"),
    "chunk size 0x0": ([TE], b"0x0\r\n\r\n"),
    "chunk size with a space": ([TE], b"0 \r\n\r\n"),
    "chunk ended by a bare LF": ([TE], b"1\nx\n0\n\n"),
    "chunk longer than it says": ([TE], b"1\r\nxyz\r\n0\r\n\r\n"),
    "chunk extension with a bare LF": ([TE], b"0;a\nb\r\n\r\n"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_message_that_can_be_read_in_two_ways_hides_no_request(door: Door, note: Note, name: str) -> None:
    lines, body = AMBIGUOUS[name]
    came = exchange(door, head(door, "POST /ingest HTTP/1.1", *lines) + body + HIDDEN)
    found = statuses(came)
    assert found in ([400], [401], [413], [501], []), came
    assert b'"ok"' not in came, came
    note("a message that can be read in two ways", f"{found[0] if found else 'closed'}, nothing hidden is answered")
    assert door.client.get("/healthz").status_code == 200


UPGRADE = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%s\r\n\r\n"
STRANGE = {
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", {400}),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 404, 405, 505}),
    "HTTP/3.7": (b"GET /healthz HTTP/3.7\r\nHost: a\r\n\r\n", {400, 505}),
    "another protocol": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), {400}),
    "no method": (b" /healthz HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "a method that isn't one": (b"G\x00T /healthz HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "an unknown method": (b"BREW /healthz HTTP/1.1\r\nHost: a\r\n\r\n", {400, 405, 501}),
    "CONNECT": (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", {400, 405, 501}),
    "TRACE": (b"TRACE /healthz HTTP/1.1\r\nHost: a\r\nX: zq7marker\r\n\r\n", {400, 405}),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {400, 404, 405}),
    "absolute form": (b"GET http://evil.example/healthz HTTP/1.1\r\nHost: a\r\n\r\n", {200, 400, 404}),
    "absolute form of another scheme": (b"GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", {400, 404}),
    "up the tree": (b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", {400, 404}),
    "up the tree of /docs": (b"GET /docs/..%2f..%2f__main__.py HTTP/1.1\r\nHost: a\r\n\r\n", {400, 404}),
    "up the tree of /web": (b"GET /web/..%2froutes.py HTTP/1.1\r\nHost: a\r\n\r\n", {400, 404}),
    "NUL in the path": (b"GET /healthz\x00 HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "bytes above 127 in the path": (b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n", {400, 404}),
    "a percent sign alone": (b"GET /devices/%zz HTTP/1.1\r\nHost: a\r\n\r\n", {400, 401, 404}),
    "a path of 100 kB": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", {400, 404, 414, 431}),
    "a header of 1 MB": (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n", {400, 431}),
    "100,000 headers": (b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100_000 + b"\r\n", {400, 431}),
    "only empty lines": (b"\r\n" * 10_000, {400}),
    "a WebSocket": (UPGRADE % (b"websocket", b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + b"A" * 22 + b"=="),
                    {200, 400, 403, 404}),
    "h2c": (UPGRADE % (b"h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"), {200, 400}),
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_hardly_http_is_refused(door: Door, note: Note, name: str) -> None:
    data, allowed = STRANGE[name]
    came = exchange(door, data)
    found = statuses(came)
    assert set(found) <= allowed, came[:400]
    assert len(found) <= 1
    assert b"zq7marker" not in came
    assert b"root:" not in came
    assert not found or b"x-content-type-options: nosniff" in came.lower(), came[:400]
    note("what is hardly HTTP", f"{found[0] if found else 'closed'}")
    assert door.client.get("/healthz").status_code == 200


def test_requests_that_are_sent_together_are_answered_in_their_order(door: Door) -> None:
    paths = ["/healthz", "/nowhere", "/devices", "/.well-known/jwks.json"]
    data = b"".join(f"GET {paths[i % 4]} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for i in range(16))
    assert statuses(exchange(door, data, quiet_s=1)) == [200, 404, 401, 200] * 4
    assert set(statuses(exchange(door, data * 100, quiet_s=1))) <= {200, 400, 401, 404}


def test_requests_behind_a_body_are_answered_once(door: Door) -> None:
    token, body = door.token(), event("prober-1")
    one = head(door, "POST /ingest HTTP/1.1", f"Content-Length: {len(body)}", token=token) + body
    chunked = head(door, "POST /ingest HTTP/1.1", TE, token=token) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert statuses(exchange(door, one + HIDDEN + chunked + HIDDEN + one, quiet_s=2)) == [202, 200, 202, 200, 202]


def test_trailers_authenticate_nobody(door: Door) -> None:
    trailer = f"0\r\nAuthorization: Bearer {door.token()}\r\n\r\n".encode()
    body = event("prober-1")
    data = (
        head(door, "POST /ingest HTTP/1.1", TE, "Trailer: Authorization")
        + b"%x\r\n%s\r\n" % (len(body), body)
        + trailer
    )
    assert statuses(exchange(door, data))[:1] in ([401], [400])


def test_a_body_that_nobody_asked_for_isnt_the_next_request(door: Door) -> None:
    data = f"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: {len(HIDDEN)}\r\n\r\n".encode() + HIDDEN
    assert statuses(exchange(door, data)) in ([200], [400])


def test_who_expects_100_is_told_of_a_refusal_instead(door: Door) -> None:
    data = head(door, "POST /ingest HTTP/1.1", "Content-Length: 99999999", "Expect: 100-continue", token=door.token())
    found = statuses(exchange(door, data))
    assert found == [413]


def test_clients_that_go_away_midway_leave_nothing_behind(door: Door) -> None:
    token, body = door.token(), event("prober-1") * 200
    first = head(door, "POST /ingest HTTP/1.1", f"Content-Length: {len(body)}", token=token)
    for cut in range(0, len(first) + len(body), 97):
        with socket.create_connection((HOST, door.port), 5) as connection:
            connection.sendall((first + body)[:cut])
    assert door.client.get("/healthz").status_code == 200
    assert door.ask(next(r for r in door.routes if r.name == "POST /ingest"), token).status_code == 202


def test_requests_with_broken_bytes(door: Door, note: Note) -> None:
    """Right ones in which some bytes are others, are missing or are there twice."""
    rng, token, body = random.Random(5), door.token(), event("prober-1")
    last = "Connection: close"
    right = [
        head(door, "POST /ingest HTTP/1.1", last, f"Content-Length: {len(body)}", token=token) + body,
        head(door, "POST /vital-data HTTP/1.1", last, TE, token=token) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
        head(door, "GET /records?device_id=ward-1&from=-1h HTTP/1.1", last, token=token),
        head(door, "GET /stats?device_id=ward-1&bucket=1h HTTP/1.1", last, token=token),
    ]
    seen = Counter[int]()
    for _ in range(400):
        broken = bytearray(rng.choice(right))
        for _ in range(rng.choice((1, 1, 2, 5))):
            at = rng.randrange(len(broken))
            part = rng.choice((bytes([rng.randrange(256)]), b"", broken[at : at + 9] * 2, b"\r\n", b"\0", b"\n"))
            broken[at : at + rng.choice((0, 1, 1, 9))] = part
        seen.update(statuses(exchange(door, bytes(broken), quiet_s=0.2)))
    assert seen.total() > 300
    assert len(seen) >= 4
    assert set(seen) <= {200, 202, 400, 401, 404, 405, 408, 413, 415, 422, 431, 501}, seen
    note("what is hardly HTTP", "400 right requests with broken bytes: never a 500")
