"""The question that a container's health check asks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from shared import ready


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    """A server that knows one answer to /readyz; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The test's output is about something else."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def ask(monkeypatch: pytest.MonkeyPatch, **environment: object) -> int:
    for name in ("API_PORT", "METRICS_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    return ready.main()


def test_ready_is_0_without_a_word(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(200, b"ok") as port:
        assert ask(monkeypatch, METRICS_PORT=port) == 0
    assert capsys.readouterr().out == ""


def test_not_ready_is_1_and_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(503, b'{"database": "away"}') as port:
        assert ask(monkeypatch, METRICS_PORT=port) == 1
    assert capsys.readouterr().out == '{"database": "away"}\n'


def test_the_api_is_asked_where_clients_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(200, b"") as api, answering(503, b"") as metrics:
        assert ask(monkeypatch, API_PORT=api, METRICS_PORT=metrics) == 0


def test_silence_is_1_and_names_the_port(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(200, b"") as port:
        pass
    assert ask(monkeypatch, METRICS_PORT=port) == 1
    assert capsys.readouterr().out.startswith(f"nothing answers on port {port}: ")
