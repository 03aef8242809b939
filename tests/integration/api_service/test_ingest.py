"""Events over HTTP, into a real Kafka: what is accepted is there, once, as it came and in its order."""

import gzip
import json
import socket
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from prometheus_client import CollectorRegistry

from api_service.app import create_app
from api_service.gateway.outlet import Outlet
from api_service.settings import ApiSettings
from shared import kafka
from tests.answering import SECRET, api_settings
from tests.pipeline import consume_all, event, high_watermarks, wait_for
from tests.servers import Database, Topics
from tests.unit.api_service.serving import served

NDJSON = {"Content-Type": "application/x-ndjson"}
JSON = {"Content-Type": "application/json"}


class Gateway:
    """An API with the gateway, and a client of its issuer."""

    def __init__(self, client: httpx.Client, registry: CollectorRegistry, topics: Topics) -> None:
        self.client, self.topics, self._registry = client, topics, registry
        self.sign_in("all")

    def sign_in(self, client_id: str) -> None:
        self.client.headers.pop("Authorization", None)
        grant = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": SECRET}
        token = self.client.post("/auth/token", data=grant).json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {token}"

    def send(self, body: bytes, headers: Mapping[str, str] = JSON, route: str = "/ingest") -> httpx.Response:
        return self.client.post(route, content=body, headers=headers)

    def metric(self, name: str, **labels: str) -> float:
        return self._registry.get_sample_value(name, labels) or 0.0

    def idle(self) -> bool:
        """Whether nothing of any request is kept."""
        names = ("plumbline_gateway_events_in_flight", "plumbline_gateway_held_bytes")
        return all(self._registry.get_sample_value(name) == 0 for name in names)

    def in_kafka(self) -> list[tuple[bytes | None, bytes | None]]:
        """(key, value) of all records."""
        count = sum(high_watermarks(self.topics).values())
        found = consume_all(self.topics, self.topics.settings.topic_readings, count)
        assert len(found) == count
        return [(key, value) for key, value, _ in found]


@pytest.fixture
def settings(database: Database, topics: Topics, tmp_path: Path) -> ApiSettings:
    own = {name.lower(): value for name, value in topics.environment().items()}
    return api_settings(database, tmp_path).model_copy(update={**own, "api_modules": "auth,gateway"})


@contextmanager
def opened(settings: ApiSettings, topics: Topics, **changed: Any) -> Iterator[Gateway]:
    registry = CollectorRegistry()
    with served(create_app(settings.model_copy(update=changed), registry)) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200, "a gateway that is ready")
        made = Gateway(client, registry, topics)
        yield made
        wait_for(made.idle, "nothing of any request being kept")


def test_what_is_accepted_is_in_kafka(settings: ApiSettings, topics: Topics) -> None:
    single = event("one", 0, m=1.0)
    lines = [event(f"d-{n % 7}", n, m=n) for n in range(300)]
    elements = [event("größe", n, m=n) for n in range(2)]
    with opened(settings, topics) as gateway:
        answers = [
            gateway.send(single),
            gateway.send(gzip.compress(b"\n".join(lines)), {**NDJSON, "Content-Encoding": "gzip"}),
            gateway.send(b"[" + b" , ".join(elements) + b"]", route="/vital-data"),
        ]
        assert [(each.status_code, each.json()["accepted"]) for each in answers] == [(202, 1), (202, 300), (202, 2)]
        records = gateway.in_kafka()
        assert gateway.metric("plumbline_gateway_events_total", outcome="accepted") == 303
    assert sorted(value or b"" for _, value in records) == sorted([single, *lines, *elements])
    by_device: dict[str, list[int]] = defaultdict(list)
    for key, value in records:
        found = json.loads(value or b"")
        assert key == found["device_id"].encode()
        by_device[found["device_id"]].append(found["timestamp"])
    assert all(times == sorted(times) for times in by_device.values()), "a device's events changed their order"


def test_what_cannot_be_taken_is_named_and_the_rest_is_taken(settings: ApiSettings, topics: Topics) -> None:
    good = [event("a", 1, m=1.0), event("b", 2, m=2.0)]
    lines = [b"no JSON", good[0], b'{"device_id":"a"}', good[1], b"[]"]
    with opened(settings, topics) as gateway:
        answer = gateway.send(b"\n".join(lines), NDJSON)
        assert answer.status_code == 202
        found = answer.json()
        assert [(each["index"], each["code"]) for each in found["rejected"]] == [
            (0, "malformed"),
            (2, "bad_timestamp"),
            (4, "not_object"),
        ]
        assert found["accepted"] == 2
        none = gateway.send(b"[1,2]")
        assert (none.status_code, [each["index"] for each in none.json()["rejected"]]) == (422, [0, 1])
        assert {value for _, value in gateway.in_kafka()} == set(good)


def test_a_token_writes_for_its_own_devices(settings: ApiSettings, topics: Topics) -> None:
    with opened(settings, topics) as gateway:
        gateway.sign_in("ward")
        mine, other = event("ward-1", 0, m=1.0), event("other", 0, m=1.0)
        assert gateway.send(other).status_code == 403
        assert gateway.send(other).json()["code"] == "forbidden_device"
        assert gateway.send(mine + b"\n" + other, NDJSON).json()["rejected"][0] == {
            "index": 1,
            "code": "forbidden_device",
            "detail": "the token doesn't cover this device",
        }
        assert [key for key, _ in gateway.in_kafka()] == [b"ward-1"]


def test_many_at_once_each_get_what_is_theirs(settings: ApiSettings, topics: Topics) -> None:
    """Requests are judged together: each must hear of its own events."""
    with opened(settings, topics) as gateway, ThreadPoolExecutor(16) as pool:

        def send(n: int) -> tuple[int, list[int]]:
            lines = [event(f"d-{n}", k, m=n) if k % 3 else b"bad" for k in range(n % 50 + 2)]
            found = gateway.send(b"\n".join(lines), NDJSON).json()
            return found["accepted"], [each["index"] for each in found["rejected"]]

        for n, (accepted, rejected) in enumerate(pool.map(send, range(200))):
            places = range(n % 50 + 2)
            assert rejected == [k for k in places if k % 3 == 0]
            assert accepted == len(places) - len(rejected)
        expected = sum(len([k for k in range(n % 50 + 2) if k % 3]) for n in range(200))
        assert len(gateway.in_kafka()) == expected


def test_more_than_the_queue_holds_is_turned_away(settings: ApiSettings, topics: Topics) -> None:
    bodies = [b"\n".join(event(f"d-{n}", k, m=1.0) for k in range(200)) for n in range(40)]
    with opened(settings, topics, gateway_queue_events=200) as gateway, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda body: gateway.send(body, NDJSON), bodies))
        accepted = sum(answer.json()["accepted"] for answer in answers if answer.status_code == 202)
        busy = [answer for answer in answers if answer.status_code == 503]
        assert len(gateway.in_kafka()) == accepted > 0
    assert len(busy) + accepted // 200 == 40
    assert all(answer.headers["Retry-After"] == "1" for answer in busy)
    assert len(busy) > 0


def test_what_waits_to_be_judged_fills_the_queue_too(settings: ApiSettings, topics: Topics) -> None:
    """Large requests go to Kafka piece by piece: their rest counts before it is on its way."""
    bodies = [b"\n".join(event(f"d-{n}", k, m=1.0) for k in range(5_000)) for n in range(12)]
    with opened(settings, topics, gateway_queue_events=8_000) as gateway, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda body: gateway.send(body, NDJSON), bodies))
        assert {answer.status_code for answer in answers} == {202, 503}
        busy = sum(answer.status_code == 503 for answer in answers)
        assert gateway.metric("plumbline_gateway_busy_total", short="events") == busy
        assert len(gateway.in_kafka()) == 5_000 * (12 - busy)


def test_bodies_together_hold_no_more_than_they_may(settings: ApiSettings, topics: Topics) -> None:
    """One that waits for its rest keeps its bytes; when its client has gone they are free again."""
    body = b"\n".join(event("d", k, m=1.0) for k in range(100))
    with opened(settings, topics, gateway_queue_bytes=len(body)) as gateway:
        host, port = gateway.client.base_url.host, gateway.client.base_url.port
        assert port is not None
        with socket.create_connection((host, port)) as half:
            head = (
                f"POST /ingest HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: {len(body)}"
            )
            token = gateway.client.headers["Authorization"]
            half.sendall(f"{head}\r\nAuthorization: {token}\r\n\r\n".encode() + body[:-1])
            wait_for(lambda: gateway.metric("plumbline_gateway_held_bytes") == len(body) - 1, "the first part")
            assert gateway.send(body, NDJSON).status_code == 503
        wait_for(gateway.idle, "the first body being let go")
        assert gateway.send(body, NDJSON).status_code == 202


def test_clients_that_hang_up_before_their_answer_leave_nothing_counted(settings: ApiSettings, topics: Topics) -> None:
    """`opened` waits at its end until nothing is in flight or held."""
    body = b"\n".join(event("d", k, m=1.0) for k in range(50))
    with opened(settings, topics) as gateway:
        host, port = gateway.client.base_url.host, gateway.client.base_url.port
        assert port is not None
        head = f"POST /ingest HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: {len(body)}"
        whole = f"{head}\r\nAuthorization: {gateway.client.headers['Authorization']}\r\n\r\n".encode() + body
        for number in range(60):
            with socket.create_connection((host, port)) as client:
                # Ends at once (RST), or with what was sent.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", number % 2, 0))
                client.sendall(whole if number % 3 else whole[: -1 - number])

        def settled() -> bool:
            """Nothing is kept, though some may not have been read yet; what was accepted is there, whole requests."""
            accepted = gateway.metric("plumbline_gateway_events_total", outcome="accepted")
            there = sum(high_watermarks(topics).values())
            return gateway.idle() and there == accepted > 0 and accepted % 50 == 0

        wait_for(settled, "nothing of any request being kept, and all that was accepted being in Kafka")


def test_a_topic_that_takes_smaller_records_than_we_is_no_topic_for_us(settings: ApiSettings, topics: Topics) -> None:
    resource = ConfigResource(ResourceType.TOPIC, topics.settings.topic_readings)
    resource.add_incremental_config(
        ConfigEntry("max.message.bytes", "20000", incremental_operation=AlterConfigOpType.SET)
    )
    admin = kafka.admin(topics.settings)
    admin.incremental_alter_configs([resource])[resource].result(10)
    with served(create_app(settings, CollectorRegistry())) as client:

        def named() -> bool:
            return "max.message.bytes" in client.get("/readyz").text

        wait_for(named, "the limit being named")


def test_a_producer_that_can_send_no_more_is_replaced(
    settings: ApiSettings, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    outlets: list[Outlet] = []
    made = Outlet.__init__

    def noted(self: Outlet, *arguments: Any) -> None:
        made(self, *arguments)
        outlets.append(self)

    monkeypatch.setattr(Outlet, "__init__", noted)
    with opened(settings, topics) as gateway:
        assert gateway.send(event("a", 1, m=1.0)).status_code == 202
        for _ in range(3):  # events that were on their way together
            outlets[0]._failed(KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "for the test", fatal=True))
        assert len(outlets[0]._producers) == 2
        assert gateway.send(event("a", 2, m=1.0)).status_code == 202
        assert len(gateway.in_kafka()) == 2
