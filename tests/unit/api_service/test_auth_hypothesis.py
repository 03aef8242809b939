"""Whatever comes as a token: it is good, or it is refused with one of a few reasons; nothing else ever happens."""

import asyncio
import json
from typing import Any

import jwt
from hypothesis import given, settings
from hypothesis import strategies as st

from api_service.auth.algorithms import KNOWN
from api_service.auth.claims import Principal, Refused
from api_service.auth.encoding import encode
from api_service.auth.jwks import parse
from tests.unit.api_service.identity import ED25519, P256, P384, RSA, jwk
from tests.unit.api_service.test_auth_verifier import CLAIMS, NOW, Kept, token, verifier

REASONS = {"malformed", "header", "algorithm", "unknown_key", "signature"}
CLAIM_REASONS = {"claims", "expired", "not_yet_valid", "issuer", "audience"}
SOURCE = Kept(jwk(RSA, "rsa"), jwk(P256, "p256"), jwk(ED25519, "ed"))
# Deterministic signatures: what verifies is these texts and no others.
VALID = (token(RSA, "rsa", "RS256"), token(ED25519, "ed", "EdDSA"), token(ED25519, None, "EdDSA"))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
base64url = st.text(st.sampled_from("ABCZabcz0189-_"), max_size=6)


def outcome(text: str, now: float = NOW) -> Principal | str:
    try:
        return asyncio.run(verifier(SOURCE).verify(text, now))
    except Refused as refused:
        return refused.reason


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A valid token with one to three pieces replaced, removed, inserted, doubled or swapped."""
    text = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        end = draw(st.integers(at, min(len(text), at + draw(st.sampled_from([0, 1, 2, 50])))))
        piece = draw(
            base64url | st.text(max_size=4) | st.sampled_from([".", "=", "==", "%", " ", "\n", text[at:end] * 2])
        )
        text = text[:at] + piece + text[end:]
    return text


@given(mutated())
@settings(max_examples=400, deadline=None)
def test_a_token_that_was_changed_is_refused(text: str) -> None:
    found = outcome(text)
    if text in VALID:
        assert isinstance(found, Principal)
    else:
        assert found in REASONS


@given(st.sampled_from(VALID), st.data())
@settings(max_examples=300, deadline=None)
def test_not_one_bit_of_a_signed_token_can_be_changed(valid: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(valid) - 1))
    changed = chr(ord(valid[at]) ^ (1 << data.draw(st.integers(0, 6))))
    assert outcome(valid[:at] + changed + valid[at + 1 :]) in REASONS


@given(st.text(max_size=200) | st.lists(base64url, min_size=3, max_size=3).map(".".join))
@settings(max_examples=200, deadline=None)
def test_any_text_is_refused(text: str) -> None:
    assert outcome(text) in REASONS


HEADER_NAMES = ["alg", "kid", "typ", "cty", "crit", "jku", "jwk", "x5u", "x5c", "x5t", "b64", "zip", "epk"]
header_values = json_values | st.sampled_from(["RS256", "ES256", "EdDSA", "none", "HS256", "rsa", "p256", "ed", "JWT"])


@given(st.dictionaries(st.sampled_from(HEADER_NAMES), header_values))
@settings(max_examples=300, deadline=None)
def test_a_header_never_makes_a_signature_right(header: dict[str, Any]) -> None:
    claims = encode(json.dumps(CLAIMS).encode())
    signature = VALID[0].rpartition(".")[2]
    assert outcome(f"{encode(json.dumps(header).encode())}.{claims}.{signature}") in REASONS


CLAIM_NAMES = ["iss", "aud", "sub", "exp", "nbf", "iat", "scope", "scp", "devices", "jti"]
claim_values = json_values | st.sampled_from(["me", "plumbline", ["plumbline"], NOW, NOW + 60, NOW - 60, str(NOW + 60)])


@given(st.dictionaries(st.sampled_from(CLAIM_NAMES), claim_values), st.booleans())
@settings(max_examples=400, deadline=None)
def test_any_claims_that_are_rightly_signed_grant_what_they_say_or_nothing(
    changed: dict[str, Any], whole: bool
) -> None:
    claims = {**CLAIMS, **changed} if whole else changed
    signed = jwt.api_jws.encode(json.dumps(claims).encode(), ED25519, "EdDSA", headers={"kid": "ed"})
    found = outcome(signed) if len(signed) <= 8192 else outcome("")
    if not isinstance(found, Principal):
        assert found in CLAIM_REASONS | {"malformed"}
        return
    assert claims["iss"] == "me"
    assert "plumbline" in (claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]])
    assert found.subject == claims["sub"]
    assert claims["exp"] >= NOW - 30
    assert all(claims.get(name, NOW) <= NOW + 30 for name in ("nbf", "iat"))
    devices = claims.get("devices", [])
    whose = isinstance(devices, list) and all(isinstance(each, str) for each in devices)
    assert found.devices == ((tuple(devices) if whose else ()) if "devices" in claims else None)


GOOD = [jwk(RSA, "rsa"), jwk(P256, "p256"), jwk(ED25519, "ed")]
MEMBERS = ["kty", "crv", "n", "e", "x", "y", "alg", "use", "key_ops", "kid", "x5c", "d"]
member_values = json_values | base64url | st.sampled_from([value for key in GOOD for value in key.values()])


@given(st.sampled_from([{}, *GOOD]), st.dictionaries(st.sampled_from(MEMBERS), member_values, max_size=4))
@settings(max_examples=400, deadline=None)
def test_whatever_a_key_set_holds_its_good_keys_are_found(base: dict[str, Any], changed: dict[str, Any]) -> None:
    odd = {**base, **changed}
    found = parse(json.dumps({"keys": [odd, jwk(P384, "good")]}).encode(), KNOWN) if _is_json(odd) else None
    if found is not None:
        assert found.keys[-1].kid == "good"
        assert all(key.algorithms for key in found.keys)


def _is_json(value: object) -> bool:
    """NaN and lone surrogates are none; a provider that sends them has no key set."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return False
    return True
