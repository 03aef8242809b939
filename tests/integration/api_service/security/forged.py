"""Tokens that must not be taken, by name."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.integration.api_service.security.door import MARKER, Door


def segment(value: object) -> str:
    """A part of a token: text as it is, anything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def garbage() -> dict[str, str]:
    """What is no token at all."""
    heads: tuple[object, ...] = (
        "[]",
        "null",
        "7",
        {},
        {"alg": 1},
        {"alg": "ES256", "kid": 7},
        {"alg": "ES256", "kid": ["a"]},
        '{"alg":',
    )
    texts = {
        "a word": MARKER,
        "two parts": "a.b",
        "three letters": "a.b.c",
        "dots": "....",
        "five parts, as a JWE has": ".".join([segment({"alg": "dir"})] * 5),
        "not base64": f"%%%.{MARKER}.%%%",
        "not ASCII": "é.é.é",
        "9,000 characters": "x" * 9_000,
    }
    return texts | {f"header {number}": f"{segment(head)}.e30.AA" for number, head in enumerate(heads)}


def wrong_keys(door: Door) -> dict[str, str]:
    """Right claims, with a signature that isn't the issuer's."""
    claims, kid, own = door.claims(), door.key.kid, ec.generate_private_key(ec.SECP256R1())
    public = door.key.private.public_key()
    made = {
        f"alg {alg}": f"{segment({'alg': alg, 'kid': kid})}.{segment(claims)}." for alg in ("none", "None", "nOnE", "")
    }
    for name, encoding in {"PEM": Encoding.PEM, "DER": Encoding.DER}.items():
        secret = public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
        made[f"HS256 with the public key as {name}"] = _hmac(claims, kid, secret)
    jwk = json.dumps(door.key.jwk(), sort_keys=True, separators=(",", ":")).encode()
    made["HS256 with the public JWK"] = _hmac(claims, kid, jwk)
    made["HS256 with nothing"] = _hmac(claims, kid, b"")
    made["another key, our kid"] = jwt.encode(claims, own, "ES256", headers={"kid": kid})
    made["another key, without a kid"] = jwt.encode(claims, own, "ES256")
    for strange in ("other", "../../../../dev/null", "' OR 1=1 --", "\0", "http://127.0.0.1/", "x" * 3_000):
        made[f"another key, kid {strange[:12]!r}"] = jwt.encode(claims, own, "ES256", headers={"kid": strange})
    rsa_key = rsa.generate_private_key(65537, 2048)
    made["another key of another kind"] = jwt.encode(claims, rsa_key, "RS256", headers={"kid": kid})
    head, payload, signature = door.token().split(".")
    for name, forged in {"none": "", "zeros": "A" * 86, "short": signature[:40], "doubled": signature * 2}.items():
        made[f"signature: {name}"] = f"{head}.{payload}.{forged}"
    made["claims changed after signing"] = f"{head}.{segment({**claims, 'sub': MARKER})}.{signature}"
    return made


def headers(door: Door, url: str) -> dict[str, str]:
    """Signed with the right key, with a header that brings or points at another, or can't be understood."""
    strange: dict[str, Any] = {
        "jku": {"jku": url},
        "x5u": {"x5u": url},
        "jwk": {"jwk": door.key.jwk()},
        "x5c": {"x5c": ["AA"]},
        "jku and x5u": {"jku": url, "x5u": url},
        "crit of one unknown": {"crit": ["exp2"], "exp2": 1},
        "crit of one known": {"crit": ["b64"], "b64": True},
        "crit, empty": {"crit": []},
    }
    made = {name: door.token(given) for name, given in strange.items()}
    return made | {f"{name}, also as iss": door.token(strange[name], iss=url) for name in ("jku", "x5u")}


def deep(door: Door) -> dict[str, str]:
    """3,000 levels, in the header and in what is signed."""
    rest = door.token().partition(".")[2]
    nested = "[" * 3_000 + "]" * 3_000
    heads = {
        "the header": nested,
        "within the header": '{"alg":"ES256","x":' + nested + "}",
        "the header's kid": '{"alg":"ES256","kid":' + nested + "}",
        "objects in the header": '{"a":' * 1_000 + "1" + "}" * 1_000,
        "the header, never closed": "[" * 3_000,
    }
    made = {name: f"{segment(head)}.{rest}" for name, head in heads.items()}
    return made | {"the claims": door.signed(nested.encode())}


def claims(door: Door) -> Iterator[tuple[str, str]]:
    """Signed with the right key; a claim is missing, of a wrong kind, out of its time or another's."""
    now = int(time.time())
    for name in ("exp", "iss", "aud", "sub"):
        yield f"no {name}", door.token(**{name: None})
    times: tuple[Any, ...] = (str(now + 60), True, [now + 60], {}, float("nan"), float("inf"), "")
    audiences: tuple[Any, ...] = ("other", ["other"], ["plumbline", 1], {"plumbline": 1}, 7, [], "")
    issuers: tuple[Any, ...] = ("other", ["plumbline"], 7, "", "plumbline\0")
    subjects: tuple[Any, ...] = (7, "", ["prober"], {}, True)
    wrong: list[dict[str, Any]] = [
        *({"exp": value} for value in times),
        *({name: "soon"} for name in ("nbf", "iat")),
        *({name: [now]} for name in ("nbf", "iat")),
        *({"iss": value} for value in issuers),
        *({"aud": value} for value in audiences),
        *({"sub": value} for value in subjects),
    ]
    for changed in wrong:
        yield f"ill-typed or another's: {json.dumps(changed)[:40]}", door.token(**changed)
    yield "expired 31 s ago", door.token(exp=now - 31)
    yield "valid in a minute", door.token(nbf=now + 60)
    yield "issued in a minute", door.token(iat=now + 60)
    for name, payload in {
        "an array": b"[]",
        "a number": b"7",
        "no JSON": b"{",
        "nothing": b"",
        "binary": b"\xff\0",
    }.items():
        yield f"claims are {name}", door.signed(payload)
    for name in ("exp", "aud", "iss", "sub"):
        yield f"{name} is null", door.signed(json.dumps({**door.claims(), name: None}).encode())


def _hmac(claims: object, kid: str, secret: bytes) -> str:
    signed = f"{segment({'alg': 'HS256', 'kid': kid})}.{segment(claims)}"
    mac = base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), hashlib.sha256)).rstrip(b"=").decode()
    return f"{signed}.{mac}"
