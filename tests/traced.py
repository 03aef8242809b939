"""An API and an ingestion that send their traces to a receiver; and traces as text, for docs/tracing.md.

`python -m tests.traced` prints the traces of a POST, from a run on a stack of its own.
"""

import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests import embedded, servers
from tests.answering import SECRET, api_settings
from tests.otlp import Received, Receiver, receiving
from tests.pipeline import Service, ingestion, running, wait_for
from tests.servers import Database, Topics

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@dataclass(frozen=True)
class Traced:
    """What runs, and where its traces are."""

    receiver: Receiver
    topics: Topics
    database: Database
    api: httpx.Client
    processes: Sequence[Service]
    token: str

    def post(self, *events: Mapping[str, object], traceparent: str = CALLER) -> httpx.Response:
        """Sends events as an array."""
        return self.api.post("/ingest", json=list(events), headers={"traceparent": traceparent})


@contextmanager
def pipeline(stack: Mapping[str, str], folder: Path) -> Iterator[Traced]:
    """API and ingestion as processes of their own, on a database and topics of their own."""
    with ExitStack() as opened:
        receiver = opened.enter_context(receiving())
        database = opened.enter_context(servers.database(stack))
        topics = opened.enter_context(servers.fresh_topics(stack, 2))
        files = api_settings(database, folder)
        own = {
            "AUTH_SIGNING_KEY_FILE": str(files.auth_signing_key_file),
            "AUTH_CLIENTS_FILE": str(files.auth_clients_file),
            "API_PORT": "0",
        }
        traces = receiver.environment()
        api = opened.enter_context(
            running("api_service", database.environment("api"), topics.environment(), own, traces)
        )
        reader = opened.enter_context(running("ingestion_service", ingestion(topics, database), traces))
        wait_for(lambda: _port(api) is not None, "an API that listens")
        client = opened.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{_port(api)}", timeout=30))
        wait_for(lambda: client.get("/readyz").status_code == 200, "an API that is ready")
        grant = {"grant_type": "client_credentials", "client_id": "all", "client_secret": SECRET}
        token = client.post("/auth/token", data=grant).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield Traced(receiver, topics, database, client, (api, reader), token)


def _port(service: Service) -> int | None:
    assert service.status is None, service.output()
    found = re.search(r"started.*port\W{1,12}(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", service.output()))
    return int(found[1]) if found else None


def tree(spans: Sequence[Received], trace_id: str, topic: str) -> str:
    """A trace as text: its spans inside each other, with what they are linked with; `topic` has its usual name."""
    own = sorted((span for span in spans if span.trace_id == trace_id), key=lambda span: span.began_ns)
    known = {span.ids[1] for span in own}
    lines = [f"trace {trace_id}"]

    def show(span: Received, depth: int) -> None:
        name = f"{'  ' * depth}{span.name.replace(topic, 'telemetry.readings')}"
        lines.append(f"  {name:34} {span.service:20} {1000 * span.seconds:6.1f} ms  span {span.ids[1]}")
        lines.extend(f"  {'  ' * depth}  ↳ link: trace {trace} span {to}" for trace, to in span.links[:3])
        for inner in own:
            if inner.parent == span.ids[1]:
                show(inner, depth + 1)

    for span in own:
        if span.parent not in known:
            show(span, 0)
    return "\n".join(lines)


def main() -> None:
    """Prints the traces of one POST."""
    with tempfile.TemporaryDirectory(prefix="plumbline-traced-") as folder:
        home = Path(folder).resolve()
        with embedded.running(home / "stack", ("kafka", "postgres")) as stack:
            servers.make_template(stack.values)
            with pipeline(stack.values, home) as traced:
                now = time.time()
                answer = traced.post({"device_id": "boiler-1", "timestamp": now, "data_payload": {"temperature": 71.5}})
                settled = traced.receiver.one(name=f"settle {traced.topics.settings.topic_readings}")
                ((batch, _),) = settled.links
                traced.receiver.one(name="relay success acks", trace_id=batch)
                wait_for(lambda: bool(traced.receiver.find(name="POST /ingest")), "the request's span")
                topic = traced.topics.settings.topic_readings
                text = [tree(traced.receiver.spans, each, topic) for each in (settled.trace_id, batch)]
                head = f"traceparent: {CALLER} → {answer.status_code}, traceresponse: {answer.headers['traceresponse']}"
                sys.stdout.write("\n\n".join([head, *text]) + "\n")


if __name__ == "__main__":
    main()
