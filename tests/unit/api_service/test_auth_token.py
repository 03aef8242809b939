"""POST /auth/token and the key set, as RFC 6749 and RFC 7517 have them."""

import base64
import json
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from prometheus_client import CollectorRegistry

from api_service.app import create_app
from api_service.auth import clients
from api_service.auth.keys import thumbprint
from api_service.auth.signing import ring
from api_service.settings import ApiSettings
from shared.errors import ConfigurationError
from tests.unit.api_service.conftest import pem
from tests.unit.api_service.serving import served

GRANT = {"grant_type": "client_credentials"}
SECRET = {**GRANT, "client_id": "analyst", "client_secret": "opensesame"}


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def claims(token: str, client: httpx.Client) -> dict[str, object]:
    jwks = jwt.PyJWKSet.from_dict(client.get("/.well-known/jwks.json").json())
    kid = jwt.get_unverified_header(token)["kid"]
    key = next(key for key in jwks.keys if key.key_id == kid)
    return dict(jwt.decode(token, key, audience="plumbline", issuer="plumbline"))


def test_a_client_gets_a_token_that_the_key_set_verifies(client: httpx.Client) -> None:
    answer = client.post("/auth/token", data=SECRET)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 3600, "read:stats read:records")
    verified = claims(body["access_token"], client)
    assert {"iss", "aud", "sub", "iat", "nbf", "exp", "jti", "scope"} == set(verified)
    assert verified["sub"] == "analyst"


def test_http_basic_works_too_and_the_devices_are_the_clients(client: httpx.Client) -> None:
    answer = client.post("/auth/token", data=GRANT, headers=basic("ward:opensesame"))
    assert claims(answer.json()["access_token"], client)["devices"] == ["ward-1-*"]


def test_a_client_may_ask_for_less(client: httpx.Client) -> None:
    assert client.post("/auth/token", data={**SECRET, "scope": "read:stats"}).json()["scope"] == "read:stats"


@pytest.mark.parametrize(
    ("form", "headers", "status", "error"),
    [
        ({}, {}, 400, "invalid_request"),
        ({**SECRET, "grant_type": "password"}, {}, 400, "unsupported_grant_type"),
        (GRANT, {}, 401, "invalid_client"),
        ({**SECRET, "client_secret": "wrong"}, {}, 401, "invalid_client"),
        ({**SECRET, "client_id": "nobody"}, {}, 401, "invalid_client"),
        ({**SECRET, "scope": "write:readings"}, {}, 400, "invalid_scope"),
        ({**SECRET, "scope": "read:stats  read:records"}, {}, 400, "invalid_scope"),
        (SECRET, basic("analyst:opensesame"), 400, "invalid_request"),
        (GRANT, basic("analyst"), 401, "invalid_client"),
        (GRANT, {"Authorization": "Basic %%%"}, 401, "invalid_client"),
        (GRANT, {"Authorization": "Bearer x"}, 401, "invalid_client"),
        ({**GRANT, "client_id": "ward"}, basic("analyst:opensesame"), 400, "invalid_request"),
    ],
)
def test_refusals(client: httpx.Client, form: dict[str, str], headers: dict[str, str], status: int, error: str) -> None:
    answer = client.post("/auth/token", data=form, headers=headers)
    if not form:
        answer = client.post("/auth/token", content=b"", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize("body", [b"grant_type=client_credentials&grant_type=x", b"\xff=1", b"a=%ff", b"&" * 30 + b"a"])
def test_a_body_that_is_no_form(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/auth/token", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_json_is_no_form(client: httpx.Client) -> None:
    assert client.post("/auth/token", json=SECRET).json()["error"] == "invalid_request"


def test_a_huge_body_is_refused_without_being_kept(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post("/auth/token", content=b"a" * 100_000, headers=headers)
    assert answer.status_code == 413


def test_an_rsa_key_signs_rs256(settings: ApiSettings, tmp_path: Path) -> None:
    file = tmp_path / "rsa.pem"
    file.write_bytes(pem(rsa.generate_private_key(65537, 2048)))
    app = create_app(settings.model_copy(update={"auth_signing_key_file": file}), CollectorRegistry())
    with served(app) as client:
        token = client.post("/auth/token", data=SECRET).json()["access_token"]
        assert jwt.get_unverified_header(token)["alg"] == "RS256"
        assert claims(token, client)["sub"] == "analyst"


def test_the_thumbprint_is_the_one_of_rfc_7638() -> None:
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn"
        "jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qM"
        "QvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJ"
        "zKnqDKgw"
    )
    assert thumbprint({"kty": "RSA", "n": n, "e": "AQAB"}) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


P384 = pem(ec.generate_private_key(ec.SECP384R1()))
RSA1024 = pem(rsa.generate_private_key(65537, 1024))  # noqa: S505  too small, which is the point


@pytest.mark.parametrize("content", [None, b"", b"not a key", P384, RSA1024])
def test_a_key_that_cannot_sign_is_a_configuration_error_with_the_fix(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "key.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"AUTH_SIGNING_KEY_FILE: .* → .*openssl genpkey"):
        ring(file)


@pytest.mark.parametrize(
    "content",
    [
        None,
        "{}",
        "[1]",
        '[{"client_id": "a", "scopes": []}]',
        json.dumps([{"client_id": "a", "secret_sha256": "ABC", "scopes": []}]),
        json.dumps([{"client_id": "a", "secret_sha256": "0" * 64, "scopes": []}] * 2),
        json.dumps([{"client_id": "a", "secret_sha256": "0" * 64, "scopes": [], "device": []}]),
    ],
)
def test_clients_that_cannot_be_read_are_a_configuration_error(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "clients.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"AUTH_CLIENTS_FILE: .* → "):
        clients.load(file)
