"""Which tokens are good, by algorithm and key, and that what is remembered stays right."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api_service.auth.algorithms import KNOWN
from api_service.auth.claims import Principal, Refused
from api_service.auth.encoding import encode
from api_service.auth.jwks import parse
from api_service.auth.keys import KeySet
from api_service.auth.verifier import Verifier
from tests.unit.api_service.identity import ED448, ED25519, OTHER_RSA, P256, P384, P521, RSA, jwk, key_set

NOW = 1_700_000_000
CLAIMS: dict[str, Any] = {"iss": "me", "aud": "plumbline", "sub": "ward", "exp": NOW + 60, "scope": "read:stats"}
KEYS = {"rsa": RSA, "p256": P256, "p384": P384, "p521": P521, "ed25519": ED25519, "ed448": ED448}
USABLE = [("rsa", f"{kind}{bits}") for kind in ("RS", "PS") for bits in (256, 384, 512)]
USABLE += [("p256", "ES256"), ("p384", "ES384"), ("p521", "ES512"), ("ed25519", "EdDSA"), ("ed448", "EdDSA")]


class Kept:
    """A source that the test fills."""

    def __init__(self, *keys: Mapping[str, Any]) -> None:
        self.looks = 0
        self.has(*keys)

    def has(self, *keys: Mapping[str, Any]) -> None:
        self.keys: KeySet | None = parse(key_set(*keys), KNOWN)

    def current(self) -> KeySet | None:
        return self.keys

    async def newer(self) -> KeySet:
        self.looks += 1
        assert self.keys is not None
        return self.keys

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    async def trouble(self) -> str | None:
        return None


def verifier(source: Kept, algorithms: frozenset[str] = KNOWN) -> Verifier:
    return Verifier(source, algorithms, "me", "plumbline")


def everybody() -> Kept:
    return Kept(*(jwk(private, kid) for kid, private in KEYS.items()))


def token(private: Any, kid: str | None, algorithm: str, claims: Mapping[str, Any] = CLAIMS, **headers: Any) -> str:
    named = {} if kid is None else {"kid": kid}
    return jwt.encode(dict(claims), private, algorithm, headers={**named, **headers})


def ask(checked: Verifier, made: str, now: float = NOW) -> Principal:
    return asyncio.run(checked.verify(made, now))


def reason(checked: Verifier, made: str, now: float = NOW) -> str:
    with pytest.raises(Refused) as refused:
        ask(checked, made, now)
    return refused.value.reason


@pytest.mark.parametrize(("kid", "algorithm"), USABLE)
def test_every_algorithm_with_a_key_of_its_kind(kid: str, algorithm: str) -> None:
    checked = verifier(everybody())
    made = token(KEYS[kid], kid, algorithm)
    assert ask(checked, made) == Principal("ward", frozenset({"read:stats"}), None)
    message, _, signature = made.rpartition(".")
    other = "A" if signature[5] != "A" else "B"
    assert reason(checked, f"{message}.{signature[:5]}{other}{signature[6:]}") == "signature"
    assert reason(verifier(everybody(), KNOWN - {algorithm}), made) == "algorithm"


@pytest.mark.parametrize(("kid", "algorithm"), USABLE)
def test_an_algorithm_is_refused_under_a_key_of_another_kind(kid: str, algorithm: str) -> None:
    right = {"RS": {"rsa"}, "PS": {"rsa"}, "Ed": {"ed25519", "ed448"}}.get(algorithm[:2], {kid})
    for other in KEYS.keys() - right:
        assert reason(verifier(everybody()), token(KEYS[kid], other, algorithm)) == "algorithm"
    assert reason(verifier(everybody()), token(KEYS[kid], "nobody", algorithm)) == "unknown_key"


def test_a_signature_of_one_edwards_curve_is_none_of_the_other() -> None:
    assert reason(verifier(everybody()), token(ED448, "ed25519", "EdDSA")) == "signature"
    assert reason(verifier(everybody()), token(ED25519, "ed448", "EdDSA")) == "signature"


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_public_key_is_no_shared_secret(algorithm: str) -> None:
    public = RSA.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forms = [pem, pem.strip(), public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]
    forms += [json.dumps(jwk(RSA, "rsa")).encode(), b"", hashlib.sha256(pem).digest()]
    for secret in forms:
        head = encode(json.dumps({"alg": algorithm, "kid": "rsa"}).encode())
        message = f"{head}.{encode(json.dumps(CLAIMS).encode())}"
        mac = encode(hmac.digest(secret, message.encode(), f"sha{algorithm[2:]}"))
        assert reason(verifier(everybody()), f"{message}.{mac}") == "algorithm"


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "", "rs256", "ES256K", "RS1", "dir", 256, None, ["RS256"]]
)
def test_an_algorithm_that_is_none(algorithm: Any) -> None:
    message, _, signature = token(RSA, "rsa", "RS256").rpartition(".")
    claims = message.partition(".")[2]
    head = encode(json.dumps({"alg": algorithm, "kid": "rsa"}).encode())
    for end in (signature, ""):
        assert reason(verifier(everybody()), f"{head}.{claims}.{end}") in ("algorithm", "malformed")


def test_a_token_without_an_id_means_the_only_key_that_fits() -> None:
    source = everybody()
    assert ask(verifier(source), token(P384, None, "ES384")).subject == "ward"
    assert reason(verifier(source), token(ED448, None, "EdDSA")) == "algorithm"
    source.has(jwk(RSA, "a"), jwk(OTHER_RSA, "b"))
    assert reason(verifier(source), token(RSA, None, "RS256")) == "algorithm"
    assert source.looks == 0


@pytest.mark.parametrize(
    "headers", [{"jku": "https://x.example"}, {"x5u": "x"}, {"jwk": jwk(OTHER_RSA)}, {"x5c": []}, {"crit": []}]
)
def test_a_header_that_brings_a_key_or_must_be_understood(headers: dict[str, Any]) -> None:
    source = everybody()
    assert reason(verifier(source), token(RSA, "rsa", "RS256", **headers)) == "header"
    assert reason(verifier(source), token(OTHER_RSA, "new", "RS256", **headers)) == "header"
    assert source.looks == 0


def test_what_a_header_may_say_besides() -> None:
    assert ask(verifier(everybody()), token(RSA, "rsa", "RS256", typ="at+jwt", x5t="AA")).subject == "ward"


def raw(header: bytes, claims: bytes) -> str:
    message = f"{encode(header)}.{encode(claims)}"
    signed = jwt.algorithms.get_default_algorithms()["ES256"].sign(message.encode(), P256)
    return f"{message}.{encode(signed)}"


GOOD_HEAD, GOOD_CLAIMS = b'{"alg":"ES256","kid":"p256"}', json.dumps(CLAIMS).encode()


def claimed(exp: bytes) -> bytes:
    return b'{"iss":"me","aud":"plumbline","sub":"w","exp":' + exp + b"}"


MALFORMED: dict[str, str] = {
    "deep header": raw(b"[" * 3000 + b"]" * 3000, GOOD_CLAIMS),
    "deep inside the header": raw(b'{"alg":"ES256","x":' + b"[" * 3000 + b"]" * 3000 + b"}", GOOD_CLAIMS),
    "deep claims": raw(GOOD_HEAD, b"[" * 3000 + b"]" * 3000),
    "header is a list": raw(b"[]", GOOD_CLAIMS),
    "header is null": raw(b"null", GOOD_CLAIMS),
    "header is UTF-16": raw(GOOD_HEAD.decode().encode("utf-16"), GOOD_CLAIMS),
    "header has a BOM": raw(b"\xef\xbb\xbf" + GOOD_HEAD, GOOD_CLAIMS),
    "header is empty": raw(b"", GOOD_CLAIMS),
    "claims are a list": raw(GOOD_HEAD, b"[]"),
    "claims are no JSON": raw(GOOD_HEAD, b"{'a': 1}"),
    "claims are latin-1": raw(GOOD_HEAD, '{"sub":"é"}'.encode("latin-1")),
    "kid is a number": raw(b'{"alg":"ES256","kid":1}', GOOD_CLAIMS),
    "kid is a list": raw(b'{"alg":"ES256","kid":["p256"]}', GOOD_CLAIMS),
    "an integer of 5,000 digits": raw(GOOD_HEAD, claimed(b"9" * 5000)),
    "two parts": "e30.e30",
    "four parts": raw(GOOD_HEAD, GOOD_CLAIMS) + ".e30",
    "five parts": "e30.e30.e30.e30.e30",
    "nothing": "",
    "dots": "..",
    "not ASCII": "é" + raw(GOOD_HEAD, GOOD_CLAIMS),
    "a surrogate": "\ud800" + raw(GOOD_HEAD, GOOD_CLAIMS),
}


@pytest.mark.parametrize("made", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_token(made: str) -> None:
    assert reason(verifier(everybody()), made) == "malformed"


ILL_TYPED = [b'"4000000000"', b"true", b"null", b"NaN", b"Infinity", b"-Infinity", b"1e999", b"[4000000000]", b"{}"]


@pytest.mark.parametrize("exp", ILL_TYPED)
def test_an_expiry_that_is_no_number(exp: bytes) -> None:
    assert reason(verifier(everybody()), raw(GOOD_HEAD, claimed(exp))) == "claims"


@pytest.mark.parametrize("exp", [b"1" + b"0" * 400, b"1e300", b"1700000060.5"])
def test_an_expiry_that_is_far_or_a_fraction(exp: bytes) -> None:
    assert ask(verifier(everybody()), raw(GOOD_HEAD, claimed(exp))).subject == "w"


def test_a_remembered_token_has_its_time(subtests: pytest.Subtests) -> None:
    checked = verifier(everybody())
    made = token(RSA, "rsa", "RS256", {**CLAIMS, "nbf": NOW, "iat": NOW - 5})
    for now, expected in (
        (NOW, ""),
        (NOW + 90, ""),
        (NOW + 91, "expired"),
        (NOW - 30, ""),
        (NOW - 31, "not_yet_valid"),
    ):
        with subtests.test(now=now - NOW):
            assert (reason(checked, made, now) if expected else ask(checked, made, now).subject) == (expected or "ward")


def test_a_remembered_token_ends_with_its_key() -> None:
    source = everybody()
    checked = verifier(source)
    made, unnamed = token(RSA, "rsa", "RS256"), token(RSA, None, "RS256")
    assert ask(checked, made).subject == ask(checked, unnamed).subject == "ward"
    source.has(jwk(RSA, "rsa"))
    assert ask(checked, made).subject == "ward"
    source.has(jwk(RSA, "rsa", alg="RS512"))
    assert reason(checked, made) == "algorithm"
    source.has(jwk(OTHER_RSA, "rsa"))
    assert reason(checked, made) == "signature"
    source.has(jwk(P256, "new"))
    assert reason(checked, made) == "unknown_key"
    source.has(jwk(RSA, "rsa"), jwk(OTHER_RSA, "other"))
    assert ask(checked, made).subject == "ward"
    assert reason(checked, unnamed) == "algorithm"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_service.auth.verifier._REMEMBERED", 10)
    checked = verifier(everybody())
    for n in range(15):
        ask(checked, token(ED25519, "ed25519", "EdDSA", {**CLAIMS, "n": n}))
    assert len(checked._verified) == 10


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "a b"}, {"a", "b"}),
        ({"scope": ""}, set()),
        ({"scp": "a b"}, {"a", "b"}),
        ({"scp": ["a", "b"]}, {"a", "b"}),
        ({"scp": ["a b"]}, {"a b"}),
        ({"scope": ["a"]}, set()),
        ({"scope": 5, "scp": "a"}, set()),
        ({"scope": "a", "scp": "b"}, {"a"}),
        ({"scp": ["a", 5]}, set()),
        ({"scp": {"a": 1}}, set()),
        ({"scp": None}, set()),
        ({"scope": None, "scp": "a"}, set()),
        ({"scope": "a\tb\nc"}, {"a\tb\nc"}),
        ({}, set()),
    ],
)
def test_scopes(claims: dict[str, Any], scopes: set[str]) -> None:
    given = {**{name: value for name, value in CLAIMS.items() if name != "scope"}, **claims}
    assert ask(verifier(everybody()), token(P256, "p256", "ES256", given)).scopes == scopes


@pytest.mark.parametrize(
    ("pattern", "device", "covered"),
    [
        ("*", "", True),
        ("*", "a\nb", True),
        ("dev-*", "dev-", True),
        ("dev-*", "dev", False),
        ("*-1", "dev-1", True),
        ("*-1", "dev-12", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "a-c-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("ab*ba", "aba", False),
        ("**", "x", True),
        ("d.v", "dev", False),
        ("[a-z]", "b", False),
        ("?", "b", False),
        ("*a" * 60, "a" * 59 + "b" * 60, False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_only_the_star_is_special_in_a_pattern(pattern: str, device: str, covered: bool) -> None:
    assert Principal("s", frozenset(), (pattern,)).covers(device) is covered
