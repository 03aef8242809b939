"""Bodies that are too large, of another kind, or not what they say: refused, and never kept in memory."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.benchmarks.figures import MIB
from tests.benchmarks.usage import peak_resident
from tests.integration.api_service.security.door import MARKER, Door, Route, event

Note = Callable[[str, str], None]
LIMIT = 8 * MIB
KINDS = ("application/json", "application/x-ndjson")
FORM = "application/x-www-form-urlencoded"
LARGEST = 240 * MIB  # 112 of them before the first request


def post(door: Door, route: Route, content: bytes | Iterator[bytes], **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return door.ask(route, door.token(), content=content, headers=given)


def writers(door: Door) -> list[Route]:
    found = [route for route in door.guarded if route.media_types]
    assert {route.path for route in found} == {"/ingest", "/vital-data"}
    assert all(set(route.media_types) == set(KINDS) for route in found)
    return found


def pieces(size: int) -> Iterator[bytes]:
    """So many bytes without a Content-Length."""
    for _ in range(size // 65_536):
        yield b" " * 65_536


def bomb(size: int) -> bytes:
    """A gzip stream of so many MiB of zeros, a thousandth of that in length; its checksum is never reached."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    head = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * (size - 1) + packer.flush()


def test_over_the_limit_with_a_content_length(door: Door, note: Note) -> None:
    for route in writers(door):
        for kind in KINDS:
            answer = post(door, route, b" " * (LIMIT + 1), Content_Type=kind)
            assert answer.status_code == 413, route
            note("body over the limit, with Content-Length", "413")


def test_over_the_limit_by_its_content_length_alone(door: Door, note: Note) -> None:
    """The answer comes without the body."""
    for route in writers(door):
        for length in (LIMIT + 1, 10**18):
            head = f"POST {route.path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {door.token()}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
            with door.connect() as connection:
                connection.sendall(head.encode())
                assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")
            note("body over the limit, with Content-Length", "413 before the body came")


def test_over_the_limit_without_a_content_length(door: Door, note: Note) -> None:
    for route in writers(door):
        answer = post(door, route, pieces(LIMIT + 2 * MIB), Content_Type="application/json")
        assert answer.status_code == 413, route
        note("body over the limit, without Content-Length", "413")


def test_over_the_limit_after_decompression(door: Door, note: Note) -> None:
    packed = gzip.compress(b" " * (LIMIT + 1))
    for route in writers(door):
        for body in (packed, bomb(1_024), bomb(6_000)):
            answer = post(door, route, body, Content_Type="application/json", Content_Encoding="gzip")
            assert answer.status_code == 413, route
            note("body over the limit, after decompression", "413")


def test_the_token_route_takes_small_forms_only(door: Door, note: Note) -> None:
    for content in (b"a=" + b"b" * 100_000, pieces(MIB)):
        answer = door.client.post("/auth/token", content=content, headers={"Content-Type": FORM})
        assert answer.status_code == 413
        note("body over the limit, /auth/token", "413")


def test_many_large_bodies_at_once_are_bounded_in_memory(door: Door, note: Note) -> None:
    small = b"[" + b"1," * 499_998 + b"1]"
    nested = b"[" + b",".join([b"[" * 400 + b"]" * 400] * 5_000) + b"]"
    bodies = [bomb(2_000), small, nested, b"\n" * (LIMIT - 1), b"[" + b"{}," * 2_000_000 + b"{}]", b"[" * LIMIT]
    route = writers(door)[0]

    def send(number: int) -> int:
        body = bodies[number % len(bodies)]
        encoding = "gzip" if number % len(bodies) == 0 else "identity"
        return post(door, route, body, Content_Type="application/json", Content_Encoding=encoding).status_code

    waits = []
    with ThreadPoolExecutor(12) as threads:
        sent = [threads.submit(send, number) for number in range(18)]
        while not all(each.done() for each in sent):
            waits.append(door.client.get("/healthz").elapsed.total_seconds())
    assert {each.result() for each in sent} <= {400, 413, 422, 503}
    assert max(waits) < 3.0, "others wait"
    peak = peak_resident(door.service.pid)
    assert peak <= LARGEST, f"{peak / MIB:.0f} MiB"
    note("many large bodies at once", f"memory at most {peak / MIB:.0f} MiB; others wait {max(waits):.2f} s at most")


BROKEN = {
    "no gzip": b'{"a":1}',
    "nothing": b"",
    "truncated": gzip.compress(event("prober-1"))[:-9],
    "without its checksum": gzip.compress(event("prober-1"))[:-8],
    "another checksum": gzip.compress(event("prober-1"))[:-8] + bytes(8),
    "something behind it": gzip.compress(event("prober-1")) + b"x",
    "gzip in gzip": gzip.compress(gzip.compress(event("prober-1"))),
    "zlib": zlib.compress(event("prober-1")),
    "gzip of nothing": gzip.compress(b""),
    "an event in two members": gzip.compress(event("prober-1")[:9]) + gzip.compress(event("prober-1")[9:]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_gzip_stream_is_a_bad_request(door: Door, note: Note, name: str) -> None:
    for route in writers(door):
        answer = post(door, route, BROKEN[name], Content_Type="application/json", Content_Encoding="gzip")
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed"), (route, answer.text)
        note("gzip that is broken, nested or concatenated", "400 malformed")


KINDS_NOT_TAKEN = [
    None,
    "",
    "text/plain",
    "application/xml",
    "multipart/form-data; boundary=x",
    FORM,
    "application/jsonx",
]
KINDS_NOT_TAKEN += [
    "application/json; charset=utf-16",
    "application/json; charset=latin-1",
    f"text/{MARKER}",
    "json",
    ";",
]
ENCODINGS_NOT_TAKEN = ["br", "deflate", "zstd", "compress", "gzip, gzip", "gzip, br", "x-gzip2", MARKER]


@pytest.mark.parametrize("kind", KINDS_NOT_TAKEN)
def test_another_content_type(door: Door, note: Note, kind: str | None) -> None:
    for route in writers(door):
        headers = {} if kind is None else {"Content-Type": kind}
        answer = door.client.post(
            route.path, content=event("prober-1"), headers={**headers, "Authorization": f"Bearer {door.token()}"}
        )
        assert answer.status_code == 415, route
        note("wrong Content-Type", "415")


@pytest.mark.parametrize("encoding", ENCODINGS_NOT_TAKEN)
def test_another_content_encoding(door: Door, note: Note, encoding: str) -> None:
    for route in writers(door):
        answer = post(door, route, event("prober-1"), Content_Type="application/json", Content_Encoding=encoding)
        assert answer.status_code == 415, route
        note("unsupported Content-Encoding", "415")


def test_kinds_that_are_taken(door: Door) -> None:
    for route in writers(door):
        for kind in (
            "application/json",
            "APPLICATION/JSON",
            "application/json; charset=utf-8",
            'application/json;charset="UTF-8"',
        ):
            assert post(door, route, event("prober-1"), Content_Type=kind).status_code == 202, kind
        packed = gzip.compress(event("prober-1") + b"\n" + event("prober-1"))
        for kind in ("application/x-ndjson", "application/x-ndjson; charset=utf-8"):
            answer = post(door, route, packed, Content_Type=kind, Content_Encoding="gzip")
            assert (answer.status_code, answer.json()["accepted"]) == (202, 2), kind


def test_more_events_than_a_request_may_have(door: Door, note: Note) -> None:
    for route in writers(door):
        for body, kind in ((b"[" + b"1," * 10_000 + b"1]", KINDS[0]), (b"1\n" * 10_001, KINDS[1])):
            answer = post(door, route, body, Content_Type=kind)
            assert answer.status_code == 413, route
            note("more events than a request may have", "413")


def test_nothing_of_a_body_comes_back(door: Door, note: Note) -> None:
    """Wherever the marker stands in an event; `sound` looks for it in each error, the fixture in the log."""
    at = event("prober-1")
    hostile = [
        MARKER.encode(),
        b'{"device_id": "' + MARKER.encode() + b'\\u0000", "timestamp": 1}',
        b'{"device_id": "a", "timestamp": "' + MARKER.encode() + b'"}',
        b'{"device_id": "a", "timestamp": 1, "data_payload": "' + MARKER.encode() + b'"}',
        at.replace(b'"m"', b'"' + MARKER.encode() + b' x"'),
        at.replace(b"1.0", b"1e999").replace(b'"m"', b'"' + MARKER.encode() + b'"'),
        b'{"' + MARKER.encode() + b'": 1, "' + MARKER.encode() + b'": 2}',
    ]
    for route in writers(door):
        for each in hostile:
            assert post(door, route, each, Content_Type=KINDS[0]).status_code in (400, 422), each
            answer = post(door, route, b"[" + each + b"]", Content_Type=KINDS[0])
            assert answer.status_code in (400, 422), each
            mixed = post(door, route, each.replace(b"\n", b"") + b"\n" + at, Content_Type=KINDS[1])
            assert (mixed.status_code, len(mixed.json()["rejected"])) == (202, 1)
            assert MARKER not in mixed.text
            note("input in an error, an answer or the log", "never")
