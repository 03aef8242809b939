"""One POST is followed through Kafka to its COPY and COMMIT, by parents and links, in what a real receiver got."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

import pytest

from shared import kafka
from tests.answering import SECRET
from tests.pipeline import (
    DEADLINE_S,
    assert_accounts,
    caught_up,
    consume_all,
    event,
    ingestion,
    produce,
    running,
    wait_for,
)
from tests.servers import Database, Topics
from tests.traced import CALLER, Traced, pipeline

_, CALLERS_TRACE, CALLERS_SPAN, _ = CALLER.split("-")


@pytest.fixture(scope="module")
def traced(stack: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    with pipeline(stack, tmp_path_factory.mktemp("traced")) as made:
        yield made


def reading(device: str, **metrics: float) -> dict[str, object]:
    return {"device_id": device, "timestamp": time.time(), "data_payload": metrics}


def test_a_post_is_followed_to_its_copy_and_back(traced: Traced) -> None:
    topic, found = traced.topics.settings.topic_readings, traced.receiver
    answer = traced.post(reading("a", m=1.0), reading("b", m=2.0), {"secret-input": 1})
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
    assert answer.headers["traceresponse"].startswith(f"00-{CALLERS_TRACE}-")
    # The caller's trace: request, send, and what became of its events.
    request = found.one(name="POST /ingest", trace_id=CALLERS_TRACE)
    assert (request.kind, request.parent, request.service) == ("server", CALLERS_SPAN, "plumbline-api")
    assert request.ids[1] == answer.headers["traceresponse"].split("-")[2]
    assert (request.attributes["http.route"], request.attributes["http.response.status_code"]) == ("/ingest", 202)
    send = found.one(name=f"send {topic}", parent=request.ids[1])
    assert (send.kind, send.attributes["messaging.system"]) == ("producer", "kafka")
    settled = found.one(name=f"settle {topic}", parent=send.ids[1])
    assert (settled.trace_id, settled.service) == (CALLERS_TRACE, "plumbline-ingestion")
    # The batch's, there and back by links.
    batch = found.one(name=f"process {topic}", link=send.ids[1])
    assert settled.links == (batch.ids,)
    assert batch.links == (send.ids,)
    assert (batch.kind, batch.parent) == ("consumer", "")
    assert batch.attributes["messaging.batch.message_count"] == batch.attributes["plumbline.persisted"] == 2
    for step in ("decode", "COPY events", "COMMIT", "relay success acks"):
        inner = found.one(name=step, trace_id=batch.trace_id)
        assert inner.parent == batch.ids[1], step
    copy, commit = (found.one(name=name, trace_id=batch.trace_id) for name in ("COPY events", "COMMIT"))
    assert batch.began_ns < copy.began_ns < commit.began_ns
    assert copy.attributes["db.collection.name"] == "events"
    # The receipt is what it was, and no trace holds what was sent.
    report = traced.api.get(f"/ingest/{answer.json()['receipt']}").json()
    assert report["persisted"] == 2
    text = repr(found.spans)
    assert not [each for each in ("secret-input", SECRET, traced.token) if each in text]
    headers = [headers for _, _, headers in consume_all(traced.topics, topic, 2)]
    assert {each["traceparent"] for each in headers} == {f"00-{send.ids[0]}-{send.ids[1]}-01"}


def test_one_that_its_caller_does_not_record_isnt_recorded_here(traced: Traced) -> None:
    trace_id = "1" * 32
    answer = traced.post(reading("c", m=1.0), traceparent=f"00-{trace_id}-{'2' * 16}-00")
    assert answer.status_code == 202
    wait_for(lambda: caught_up(traced.topics, traced.database), "it is stored")
    fresh = traced.post(reading("c", m=2.0), traceparent="garbage")
    seen = fresh.headers["traceresponse"].split("-")[1]
    traced.receiver.one(name=f"settle {traced.topics.settings.topic_readings}", trace_id=seen)
    assert not traced.receiver.find(trace_id=trace_id)
    assert seen not in (trace_id, CALLERS_TRACE)


def test_a_dead_letter_keeps_its_headers_and_is_found_too(traced: Traced) -> None:
    producer = kafka.producer(traced.topics.settings)
    trace_id = "3" * 32
    headers: list[tuple[str, str | bytes | None]] = [("mine", b"kept"), ("traceparent", f"00-{trace_id}-{'4' * 16}-01")]
    producer.produce(traced.topics.settings.topic_readings, b"no JSON", b"k", headers=headers)
    assert producer.flush(10) == 0
    ((_, value, found),) = consume_all(traced.topics, traced.topics.settings.topic_dead_letters, 1)
    assert value == b"no JSON"
    assert (found["mine"], found["traceparent"]) == ("kept", f"00-{trace_id}-{'4' * 16}-01")
    settled = traced.receiver.one(trace_id=trace_id)
    ((batch, _),) = settled.links
    assert traced.receiver.one(name="relay dead letters", trace_id=batch).parent == settled.links[0][1]


def test_a_question_has_a_child_for_the_database(traced: Traced) -> None:
    for path, name in (("/stats?device_id=a", "GET /stats"), ("/devices", "GET /devices")):
        assert traced.api.get(path).status_code == 200
        request = traced.receiver.one(name=name)
        child = traced.receiver.one(parent=request.ids[1])
        assert (child.name, child.kind, child.attributes["db.system.name"]) == ("postgresql", "client", "postgresql")
        assert child.seconds <= request.seconds
    assert traced.api.get("/healthz").status_code == 200
    assert not traced.receiver.find(name="GET /healthz")


@pytest.mark.parametrize("over", ["kafka", "http"])
def test_the_simulator_begins_traces(traced: Traced, over: str) -> None:
    topic, name = traced.topics.settings.topic_readings, f"simulator-{over}"
    options = ["--devices", "3", "--interval", "1s", "--from", "-4s", "--to", "-0s", "--prefix", f"{over}-", "--quiet"]
    environment = {
        **os.environ,
        **traced.topics.environment(),
        **traced.receiver.environment(),
        "OTEL_SERVICE_NAME": name,
        "AUTH_TOKEN": traced.token,
    }
    to_api = ["--http", str(traced.api.base_url).rstrip("/")] if over == "http" else []
    command = [sys.executable, "-m", "simulator", *options, *to_api]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=DEADLINE_S)
    wait_for(lambda: any(span.service == name for span in traced.receiver.spans), "its spans")
    sent = next(span for span in traced.receiver.spans if span.service == name)
    wait_for(lambda: bool(traced.receiver.find(name=f"settle {topic}", trace_id=sent.trace_id)), "what became of them")
    assert sent.name == (f"send {topic}" if over == "kafka" else "POST")


def test_a_run_of_aggregation_has_its_transactions_inside(traced: Traced) -> None:
    old = [event("past", second, m=1.0) for second in range(0, 600, 60)]
    produce(traced.topics, old)
    wait_for(lambda: caught_up(traced.topics, traced.database), "it is stored")
    environment = {**os.environ, **traced.database.environment("aggregation"), **traced.receiver.environment()}
    command = [sys.executable, "-m", "aggregation_service", "--once"]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=DEADLINE_S)
    stored = next(iter(traced.receiver.find(name="store closed buckets")))
    run = traced.receiver.one(name="run aggregation", trace_id=stored.trace_id)
    assert (stored.parent, stored.service) == (run.ids[1], "plumbline-aggregation")


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_a_receiver_that_is_away_costs_no_event_and_few_lines(topics: Topics, database: Database, how: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        if how == "refuses":
            listening.close()
        away = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_BSP_SCHEDULE_DELAY": "50"}
        produce(topics, [event(f"d-{n % 50}", n, m=n) for n in range(20_000)])
        with running("ingestion_service", ingestion(topics, database, BATCH_MAX_EVENTS=100), away) as service:
            wait_for(lambda: service.status is not None or caught_up(topics, database), "caught up")
            service.send(signal.SIGTERM)
            began = time.monotonic()
            assert service.wait(20) == 0, service.output()
            assert time.monotonic() - began < 10  # two seconds for traces, and what a stop takes on a busy machine
    assert assert_accounts(database)["persisted"] == 20_000
    log = service.output()
    assert log.count("traces_dropped") <= 1
    assert len(log.splitlines()) < 20
    assert "opentelemetry" not in log
    assert "exception" not in log.lower()
