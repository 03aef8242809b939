"""The security table, row by row. The database is away: a request that is let through is a 503."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry

from api_service.auth.signing import SigningKey

Forge = Callable[..., str]

REALM = 'Bearer realm="plumbline"'
INVALID = REALM + ', error="invalid_token"'
NOW = int(time.time())


def ask(client: httpx.Client, token: str) -> httpx.Response:
    return client.get("/devices", headers={"Authorization": f"Bearer {token}"})


def segment(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def test_a_right_token_is_let_through(client: httpx.Client, forge: Forge) -> None:
    answer = ask(client, forge())
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.elapsed.total_seconds() < 2.5  # a second, on a busy machine


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": ""}])
def test_no_token_names_the_realm_only(client: httpx.Client, headers: dict[str, str]) -> None:
    answer = client.get("/devices", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == REALM
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"


def test_the_scheme_has_no_case(client: httpx.Client, forge: Forge) -> None:
    assert client.get("/devices", headers={"Authorization": f"bEARER {forge()}"}).status_code == 503


def test_a_token_twice_or_in_the_query_is_an_invalid_request(client: httpx.Client, forge: Forge) -> None:
    token = forge()
    one = ("Authorization", f"Bearer {token}")
    for answer in (
        client.get("/devices", headers=[one, one]),
        client.get("/devices", headers=[("Authorization", f"Bearer {token}, Bearer {token}")]),
        client.get("/devices", params={"access_token": token}),
        client.get(f"/devices?%61ccess_token={token}"),
        client.get("/devices", params={"access_token": token}, headers=[one]),
    ):
        assert answer.status_code == 400
        assert answer.headers["www-authenticate"] == REALM + ', error="invalid_request"'
        assert token not in answer.text


GARBAGE = ["garbage", "a.b", "a.b.c", "....", "é", "e30.e30.", "x" * 9000]
GARBAGE += [segment(header) + ".e30.AA" for header in ("[]", {"alg": 1}, {"alg": "ES256", "kid": 7}, {}, "null")]


@pytest.mark.parametrize("token", GARBAGE)
def test_garbage(client: httpx.Client, token: str) -> None:
    answer = client.get("/devices", headers={b"Authorization": f"Bearer {token}".encode()})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, INVALID)


def test_algorithms_that_are_not_the_keys(client: httpx.Client, key: SigningKey, forge: Forge) -> None:
    claims = {"iss": "plumbline", "aud": "plumbline", "sub": "analyst", "exp": NOW + 60, "scope": "read:stats"}
    public = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = f"{segment({'alg': 'HS256', 'kid': key.kid})}.{segment(claims)}"

    mac = base64.urlsafe_b64encode(hmac.digest(public, signed.encode(), hashlib.sha256)).rstrip(b"=").decode()
    unsigned = f"{segment({'alg': 'none', 'kid': key.kid})}.{segment(claims)}."
    other = ec.generate_private_key(ec.SECP256R1())
    wrong_key = jwt.encode(claims, other, "ES256", headers={"kid": key.kid})
    unknown_key = jwt.encode(claims, other, "ES256", headers={"kid": "other"})
    for token in (f"{signed}.{mac}", unsigned, wrong_key, unknown_key, forge()[:-4] + "AAAA"):
        answer = ask(client, token)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, INVALID)


@pytest.mark.parametrize(
    "headers",
    [
        {"jku": "https://attacker.example/jwks"},
        {"x5u": "https://attacker.example/cert"},
        {"jwk": {"kty": "oct", "k": "AA"}},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
    ],
)
def test_headers_that_are_refused_even_when_rightly_signed(
    client: httpx.Client, forge: Forge, headers: dict[str, object]
) -> None:
    answer = ask(client, forge(headers))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, INVALID)


def test_deep_nesting_is_refused_and_never_a_500(client: httpx.Client, forge: Forge) -> None:
    _, payload, signature = forge().split(".")
    deep = "[" * 3000 + "]" * 3000
    assert ask(client, f"{segment(deep)}.{payload}.{signature}").status_code == 401
    within = '{"alg": "ES256", "x": ' + deep + "}"
    assert ask(client, f"{segment(within)}.{payload}.{signature}").status_code == 401
    nested: object = []
    for _ in range(900):
        nested = [nested]
    assert ask(client, forge(deep=nested)).status_code in (401, 503)


@pytest.mark.parametrize("name", ["exp", "iss", "aud", "sub"])
def test_a_claim_that_is_missing(client: httpx.Client, forge: Forge, name: str) -> None:
    answer = ask(client, forge(**{name: None}))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, INVALID)


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": str(NOW + 60)},
        {"exp": True},
        {"exp": [NOW + 60]},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": NOW - 40},
        {"nbf": NOW + 300},
        {"iat": NOW + 300},
        {"nbf": "soon"},
        {"iat": [1]},
        {"iss": "other"},
        {"iss": ["plumbline"]},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": ["plumbline", 1]},
        {"aud": {"plumbline": 1}},
        {"sub": 7},
        {"sub": ""},
        {"sub": "s" * 1_025},
    ],
)
def test_a_claim_that_is_wrong(client: httpx.Client, forge: Forge, changed: dict[str, object]) -> None:
    answer = ask(client, forge(**changed))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, INVALID)


UNUSUAL: list[dict[str, object]] = [{"exp": NOW - 10}, {"nbf": NOW + 10}, {"iat": NOW + 10}, {"exp": NOW + 60.5}]


@pytest.mark.parametrize("changed", [*UNUSUAL, {"exp": 10**400}, {"aud": ["x", "plumbline"]}])
def test_claims_within_the_leeway_or_merely_unusual(
    client: httpx.Client, forge: Forge, changed: dict[str, object]
) -> None:
    late = int(time.time()) - NOW  # a run of all tests takes longer than the leeway
    moved = {name: value + late if isinstance(value, int | float) else value for name, value in changed.items()}
    assert ask(client, forge(**moved)).status_code == 503


@pytest.mark.parametrize("scope", [None, "", "read:records", "READ:STATS", "read:statistics", ["read:stats"], 5])
def test_a_missing_scope_is_named(client: httpx.Client, forge: Forge, scope: object) -> None:
    answer = ask(client, forge(scope=scope))
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == REALM + ', error="insufficient_scope", scope="read:stats"'


def test_refusals_are_counted_by_reason(client: httpx.Client, forge: Forge, registry: CollectorRegistry) -> None:
    def count(reason: str) -> float:
        return registry.get_sample_value("plumbline_api_token_refusals_total", {"reason": reason}) or 0.0

    before = {reason: count(reason) for reason in ("malformed", "expired")}
    ask(client, "garbage")
    ask(client, forge(exp=1))
    assert {reason: count(reason) - before[reason] for reason in before} == {"malformed": 1, "expired": 1}
