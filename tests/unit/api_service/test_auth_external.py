"""The API with an external identity provider, which runs here. 403: the token is good, but not for this."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
import structlog
from prometheus_client import CollectorRegistry

from api_service.app import create_app
from api_service.settings import ApiSettings
from tests.unit.api_service.identity import OTHER_RSA, P256, RSA, Identity, identity, jwk
from tests.unit.api_service.serving import served


@pytest.fixture
def there() -> Iterator[Identity]:
    with identity() as made:
        made.discovered()
        made.has(jwk(RSA, "a"))
        yield made


def settings(**given: Any) -> ApiSettings:
    away = {"db_host": "127.0.0.1", "db_port": 1, "api_modules": "auth,query"}
    return ApiSettings.model_validate({**away, **given})


def token(there: Identity, private: Any = RSA, kid: str = "a", **changed: Any) -> dict[str, str]:
    claims = {"iss": there.issuer, "aud": "plumbline", "sub": "ward", "exp": time.time() + 60, "scp": ["read:nothing"]}
    algorithm = "RS256" if private in (RSA, OTHER_RSA) else "ES256"
    return {"Authorization": f"Bearer {jwt.encode({**claims, **changed}, private, algorithm, headers={'kid': kid})}"}


def test_its_tokens_are_good_and_the_built_in_issuer_is_gone(there: Identity) -> None:
    with served(create_app(settings(jwt_issuer=there.issuer), CollectorRegistry())) as client:
        let_in = client.get("/devices", headers=token(there, scp=["read:stats"]))
        assert (let_in.status_code, "database" in let_in.json()["detail"].lower()) == (503, True)
        assert client.get("/devices", headers=token(there)).status_code == 403
        assert client.get("/devices", headers=token(there, OTHER_RSA)).status_code == 401
        assert client.get("/devices", headers=token(there, iss="plumbline")).status_code == 401
        assert client.post("/auth/token", data={"grant_type": "client_credentials"}).status_code == 404
        assert client.get("/.well-known/jwks.json").status_code == 404
        assert "identity provider" in client.get("/devices").json()["detail"]
        described = client.get("/openapi.json").json()
        assert "/auth/token" not in described["paths"]
        assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_a_rotated_key_is_found_within_a_request(there: Identity) -> None:
    with served(create_app(settings(jwt_issuer=there.issuer), CollectorRegistry())) as client:
        assert client.get("/devices", headers=token(there)).status_code == 403
        there.has(jwk(RSA, "a"), jwk(P256, "b"))
        assert client.get("/devices", headers=token(there, P256, "b")).status_code == 403
        before = there.fetches()
        for n in range(50):
            assert client.get("/devices", headers=token(there, P256, f"c{n}")).status_code == 401
        assert there.fetches() == before


def test_while_the_provider_has_never_answered_it_is_a_503_and_ready_says_so(there: Identity) -> None:
    good = there.answers.pop("/keys")
    registry = CollectorRegistry()
    with served(create_app(settings(jwt_issuer=there.issuer, api_modules="auth"), registry)) as client:
        assert client.get("/healthz").status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert "→" in next(error["detail"] for error in ready.json()["errors"] if error["field"] == "keys")
    with served(create_app(settings(jwt_issuer=there.issuer), CollectorRegistry())) as client:
        answer = client.get("/devices", headers=token(there))
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "keys" in answer.json()["detail"]
        assert 1 <= int(answer.headers["retry-after"]) <= 30
        there.answers["/keys"] = good
        deadline = time.monotonic() + 10
        while client.get("/devices", headers=token(there)).status_code != 403:
            assert time.monotonic() < deadline


def test_a_key_set_of_another_plumbline_is_enough(there: Identity) -> None:
    """So that what takes events needs no private key."""
    given = {"jwt_issuer": "plumbline", "jwt_jwks_url": there.jwks_url}
    with served(create_app(settings(**given), CollectorRegistry())) as client:
        assert client.get("/devices", headers=token(there, iss="plumbline")).status_code == 403


def test_without_a_key_for_receipts_it_says_that_they_are_of_this_process() -> None:
    with structlog.testing.capture_logs() as logs:
        create_app(settings(jwt_issuer="https://login.example", api_modules="gateway"), CollectorRegistry())
    # Once: what makes receipts and what reads them have the same.
    (line,) = [line for line in logs if line["event"] == "receipt_key_is_random"]
    assert line["log_level"] == "warning"
    assert "RECEIPT_KEY is not set" in line["problem"]
    with structlog.testing.capture_logs() as logs:
        given = settings(jwt_issuer="https://login.example", api_modules="gateway", receipt_key="secret")
        create_app(given, CollectorRegistry())
    assert logs == []


def test_the_client_is_told_nothing_of_the_provider(there: Identity) -> None:
    there.answers.clear()
    with served(create_app(settings(jwt_issuer=there.issuer), CollectorRegistry())) as client:
        answer: httpx.Response = client.get("/devices", headers=token(there))
        assert answer.status_code == 503
        assert there.url not in answer.text
