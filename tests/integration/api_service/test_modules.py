"""Modules that are served alone do all their work without what the others need."""

import time
from collections.abc import Callable

import httpx
from prometheus_client import CollectorRegistry

from api_service.app import create_app
from api_service.auth.issuer import Issuer
from api_service.auth.signing import OwnKeys
from api_service.settings import ApiSettings
from tests.answering import SCOPES
from tests.pipeline import wait_for
from tests.servers import Topics
from tests.unit.api_service.serving import served

EVENT = {"device_id": "a", "timestamp": "2026-01-01T00:00:00Z", "data_payload": {"m": 1}}


def test_the_gateway_alone_takes_events_without_a_database(settings: ApiSettings, topics: Topics) -> None:
    own = {
        "api_modules": "gateway",
        "db_port": 1,  # nobody listens there
        "kafka_bootstrap_servers": topics.settings.kafka_bootstrap_servers,
        "topic_readings": topics.settings.topic_readings,
    }
    issuer = Issuer(settings.auth_issuer, settings.jwt_audience, OwnKeys(settings.auth_signing_key_file))
    with served(create_app(settings.model_copy(update=own), CollectorRegistry())) as client:
        client.headers["Authorization"] = f"Bearer {issuer.issue('a', SCOPES, None, time.time(), 60)}"
        wait_for(lambda: client.get("/readyz").status_code == 200, "it is ready")
        assert client.get("/readyz").json()["checks"] == {"kafka": "ok"}
        taken = client.post("/ingest", json=EVENT)
        assert taken.status_code == 202
        for path in (f"/ingest/{taken.json()['receipt']}", "/check-buffer"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
            assert answer.elapsed.total_seconds() < 2.5  # a second, on a busy machine


def test_questions_alone_are_answered_without_kafka(serve: Callable[..., httpx.Client]) -> None:
    client = serve(api_modules="auth,query", kafka_bootstrap_servers="127.0.0.1:1")
    assert client.get("/readyz").json()["checks"] == {"database": "ok"}
    assert client.get("/stats?from=-1h").status_code == 200
    assert client.post("/ingest", json=EVENT).status_code == 404
