"""Which keys of a JWK set are used, and for which algorithms."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api_service.auth.algorithms import KNOWN, chosen
from api_service.auth.jwks import parse
from tests.unit.api_service.identity import ED448, ED25519, OTHER_RSA, P256, P384, P521, RSA, jwk, key_set

RSA_ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


def algorithms(*keys: dict[str, Any], allowed: frozenset[str] = KNOWN) -> list[set[str]]:
    return [set(key.algorithms) for key in parse(key_set(*keys), allowed).keys]


EDWARDS = [(key, {"EdDSA"}) for key in (ED25519, ED448)]
CURVES = [(P256, {"ES256"}), (P384, {"ES384"}), (P521, {"ES512"})]


@pytest.mark.parametrize(("private", "expected"), [(RSA, RSA_ALGORITHMS), *CURVES, *EDWARDS])
def test_a_key_is_for_the_algorithms_of_its_kind_and_curve(private: Any, expected: set[str]) -> None:
    assert algorithms(jwk(private)) == [expected]


def test_alg_and_the_allow_list_narrow_it_down() -> None:
    assert algorithms(jwk(RSA, alg="PS384")) == [{"PS384"}]
    assert algorithms(jwk(RSA), allowed=frozenset({"RS256", "ES256"})) == [{"RS256"}]
    assert algorithms(jwk(RSA, alg="RS512"), allowed=frozenset({"RS256"})) == []


SMALL = rsa.generate_private_key(65537, 1024)  # noqa: S505  which is the point
KOBLITZ = ec.generate_private_key(ec.SECP256K1())
UNUSED: dict[str, Any] = {
    "a shared secret": {"kty": "oct", "k": "AAAA", "kid": "a"},
    "for encryption": jwk(RSA, use="enc"),
    "for another operation": jwk(RSA, key_ops=["encrypt"]),
    "key_ops is no list": jwk(RSA, key_ops="verify"),
    "alg for encryption": jwk(RSA, alg="RSA-OAEP"),
    "alg of a shared secret": jwk(RSA, alg="HS256"),
    "alg none": jwk(RSA, alg="none"),
    "alg of another curve": jwk(P256, alg="ES384"),
    "alg is no text": jwk(RSA, alg=["RS256"]),
    "too small": jwk(SMALL),
    "a huge exponent": {**jwk(RSA), "e": jwk(OTHER_RSA)["n"]},
    "an even exponent": {**jwk(RSA), "e": "Ag"},
    "a curve that isn't ours": {**jwk(KOBLITZ), "crv": "secp256k1"},
    "off the curve": {**jwk(P256), "x": jwk(P256)["y"]},
    "the coordinates of another curve": {**jwk(P384), "crv": "P-256"},
    "Ed25519 of another length": {**jwk(ED25519), "x": jwk(ED448)["x"]},
    "X25519": {**jwk(ED25519), "crv": "X25519"},
    "another kind": {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
    "a member is missing": {"kty": "RSA", "e": "AQAB"},
    "a member is no base64url": {**jwk(RSA), "n": "%%%"},
    "a member is no text": {**jwk(RSA), "n": 5},
    "the private half is out": {**jwk(RSA), "d": "AAAA"},
    "kid is no text": {**jwk(RSA), "kid": 5},
    "no kind": {"kid": "a"},
    "no object": "RS256",
    "null": None,
}


@pytest.mark.parametrize("unused", UNUSED.values(), ids=UNUSED)
def test_a_key_that_we_do_not_use_is_skipped_and_its_neighbour_is_not(unused: Any) -> None:
    assert [key.kid for key in parse(key_set(unused, jwk(P256, "good")), KNOWN).keys] == ["good"]


def test_padding_is_forgiven() -> None:
    key = jwk(RSA)
    assert algorithms({**key, "n": key["n"] + "=="}) == [RSA_ALGORITHMS]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"key": []}', b'{"keys": {}}', b'{"keys": null}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_key_set_is_said_so(body: bytes) -> None:
    with pytest.raises(ValueError, match="is no JWK set"):
        parse(body, KNOWN)


def test_an_empty_set_is_one() -> None:
    assert parse(b'{"keys": []}', KNOWN).keys == ()


def test_a_key_is_found_by_id_and_algorithm() -> None:
    keys = parse(key_set(jwk(RSA, "a"), jwk(P256, "b")), KNOWN)
    assert keys.find("a", "RS256") is keys.find("a", "PS512") is keys.keys[0]
    assert keys.find("b", "ES256") is keys.keys[1]
    assert keys.find("a", "ES256") is None
    assert keys.find("c", "RS256") is None
    assert keys.names("a")
    assert not keys.names("c")


def test_without_an_id_it_is_the_only_key_that_fits() -> None:
    keys = parse(key_set(jwk(RSA, "a"), jwk(P256, "b")), KNOWN)
    assert keys.find(None, "RS256") is keys.keys[0]
    two = parse(key_set(jwk(RSA, "a"), jwk(OTHER_RSA)), KNOWN)
    assert two.find(None, "RS256") is None


def test_an_id_that_two_keys_have_means_neither_but_for_different_algorithms() -> None:
    assert parse(key_set(jwk(RSA, "a"), jwk(OTHER_RSA, "a")), KNOWN).find("a", "RS256") is None
    apart = parse(key_set(jwk(RSA, "a"), jwk(P256, "a")), KNOWN)
    assert apart.find("a", "RS256") is apart.keys[0]
    assert apart.find("a", "ES256") is apart.keys[1]


def test_one_key_that_is_listed_for_each_of_its_algorithms_is_one() -> None:
    keys = parse(key_set(jwk(RSA, "a", alg="RS256"), jwk(RSA, "a", alg="PS256")), KNOWN)
    assert [set(key.algorithms) for key in keys.keys] == [{"RS256", "PS256"}]


@pytest.mark.parametrize("text", ["", " , ", "HS256", "none", "RS256,ES256K", "rs256", "RS256 ES256"])
def test_an_allow_list_that_cannot_be_used(text: str) -> None:
    with pytest.raises(ValueError, match=r"no algorithm|can't be"):
        chosen(text)


def test_an_allow_list() -> None:
    assert chosen(" RS256, EdDSA,") == {"RS256", "EdDSA"}
    assert json.dumps(sorted(KNOWN)).count("HS") == 0
