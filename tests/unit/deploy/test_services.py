"""Which settings a service of the stack gets, and what it says that it lacks."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deploy.local import services

STACK = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "DB_USER": "plumbline",
    "DB_PASSWORD": "owner",
    "PLUMBLINE_INGESTION_PASSWORD": "ingest",
    "PLUMBLINE_API_PASSWORD": "api",
}


def test_a_service_runs_under_its_own_role_and_sees_no_other_password() -> None:
    env = services.settings("ingestion", STACK, {}, part=False)
    assert (env["DB_USER"], env["DB_PASSWORD"]) == ("plumbline_ingestion", "ingest")
    assert not {"owner", "api"} & set(env.values())


def test_a_shell_that_sourced_the_stack_does_not_make_a_part_run_as_the_owner() -> None:
    env = services.settings("ingestion", STACK, STACK, part=True)
    assert env["DB_USER"] == "plumbline_ingestion"
    assert "owner" not in env.values()


def test_nor_does_one_that_sourced_it_before_a_port_changed_bring_the_old_port_back() -> None:
    moved = {**STACK, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9093"}
    env = services.settings("ingestion", moved, STACK, part=True, before=STACK)
    assert env["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:9093"


def test_what_the_caller_set_wins_for_a_part() -> None:
    caller = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:7777", "FAILPOINTS": "after_copy=kill", "DB_USER": "other"}
    env = services.settings("ingestion", STACK, caller, part=True)
    assert env["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:7777"
    assert env["FAILPOINTS"] == "after_copy=kill"
    assert env["DB_USER"] == "other"


def test_a_whole_stack_is_not_wired_to_another_that_the_shell_knows_of() -> None:
    caller = {"KAFKA_BOOTSTRAP_SERVERS": "other:9092", "DATABASE_URL": "postgresql://other", "LOG_LEVEL": "debug"}
    env = services.settings("ingestion", STACK, caller, part=False)
    assert env["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:9092"
    assert env["DATABASE_URL"] == ""
    assert env["LOG_LEVEL"] == "debug"


def test_nor_to_the_identity_provider_that_the_shell_names() -> None:
    caller = {"JWT_ISSUER": "https://issuer.example", "JWT_JWKS_URL": "https://issuer.example/keys"}
    whole, part = (services.settings("api", STACK, caller, part=only) for only in (False, True))
    assert (whole["JWT_ISSUER"], whole["JWT_JWKS_URL"]) == ("", ""), "or the API would refuse the stack's own tokens"
    assert {name: part[name] for name in caller} == caller


def test_a_secret_in_a_file_takes_the_place_of_the_stacks() -> None:
    caller = {"DB_PASSWORD_FILE": "/run/secret"}
    assert "DB_PASSWORD" not in services.settings("ingestion", STACK, caller, part=True)
    assert "DB_PASSWORD_FILE" not in services.settings("ingestion", STACK, caller, part=False)


@contextmanager
def answering(status: int, body: object) -> Iterator[str]:
    """A URL that answers so."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, {"status": "ready"}, {}),
        (503, {"errors": [{"field": "kafka", "detail": "away"}]}, {"kafka": "away"}),
        (503, {"ready": False, "problems": ["partition 3 stopped: truncated"]}, {"partition 3 stopped: truncated": ""}),
        (503, {"other": ["something"]}, None),
        (503, [], None),
        (500, "oops", None),
    ],
)
def test_what_a_service_says_that_it_lacks(status: int, body: object, said: dict[str, str] | None) -> None:
    with answering(status, body) as url:
        assert services.troubles(url) == said
        assert services.answers(url) == (status == 200)


def test_each_service_is_asked_where_it_says_whether_it_is_ready() -> None:
    values = {
        "API_URL": "http://a:1",
        "METRICS_URL_API": "http://a:2/metrics",
        "METRICS_URL_INGESTION": "http://i:3/metrics",
    }
    assert services.ready_url("api", values) == "http://a:1/readyz"
    assert services.ready_url("ingestion", values) == "http://i:3/readyz"


def test_what_is_lacking_is_said_with_its_name_or_by_itself() -> None:
    assert services.in_words({"kafka": "away", "partition 3 stopped": ""}) == ["kafka: away", "partition 3 stopped"]


def test_one_that_is_not_there_says_nothing() -> None:
    assert services.troubles("http://127.0.0.1:1") is None
