"""plumbline token: an access token of the stack's built-in issuer."""

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import jwt
import typer
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import RSAAlgorithm

from deploy.local import environment, home
from deploy.local.issuer import SCOPES
from ops.console import Json, print_json
from shared.errors import PlumblineError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: plumbline token --scope read:stats --scope read:records --devices 'dev-*'")(token)


def token(
    scope: Annotated[list[str] | None, typer.Option(help=f"Repeatable: {', '.join(SCOPES)}.")] = None,
    devices: Annotated[list[str] | None, typer.Option(help="Ids or * patterns, repeatable. Default: all.")] = None,
    ttl: Annotated[str, typer.Option(help="How long it is valid: 90s, 15m, 1h, 7d.")] = "1h",
    subject: Annotated[str, typer.Option(help="Whom it is for.")] = "operator",
    as_json: Json = False,
) -> None:
    """Print a token that the stack's API accepts."""
    scopes = scope or ["read:stats"]
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(SCOPES)}", param_hint="--scope")
    values = environment.require(home.default())
    lifetime = duration(ttl)
    made = sign(values, claims(values, subject, scopes, devices, datetime.now(UTC), lifetime))
    if as_json:
        print_json({"access_token": made, "token_type": "Bearer", "expires_in": int(lifetime.total_seconds())})
    else:
        print(made)


def duration(text: str) -> timedelta:
    """The span that "90s", "15m", "1h" or "7d" means."""
    match = re.fullmatch(r"([1-9]\d{0,8})([smhd])", text)
    if not match:
        raise typer.BadParameter(f"{text!r} isn't like 90s, 15m, 1h or 7d", param_hint="--ttl")
    return timedelta(seconds=int(match[1]) * UNITS[match[2]])


def claims(
    values: Mapping[str, str],
    subject: str,
    scopes: Sequence[str],
    devices: Sequence[str] | None,
    now: datetime,
    lifetime: timedelta,
) -> dict[str, Any]:
    """The claims of a token; `devices` only where it is limited to some."""
    issued = int(now.timestamp())
    made: dict[str, Any] = {
        "iss": values.get("JWT_ISSUER_LOCAL", "plumbline"),
        "aud": values["JWT_AUDIENCE"],
        "sub": subject,
        "iat": issued,
        "nbf": issued,
        "exp": issued + int(lifetime.total_seconds()),
        "jti": str(uuid.uuid4()),
        "scope": " ".join(scopes),
    }
    return {**made, "devices": list(devices)} if devices else made


def sign(values: Mapping[str, str], content: Mapping[str, Any]) -> str:
    """The claims as an RS256 JWT, signed with the stack's key."""
    file = Path(values["AUTH_SIGNING_KEY_FILE"])
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise PlumblineError(f"{file}: {error.strerror} → plumbline up, which makes the key") from None
    if not isinstance(key, RSAPrivateKey):
        raise PlumblineError(f"{file} holds no RSA key → remove it and run plumbline up")
    return jwt.encode(dict(content), key, algorithm="RS256", headers={"kid": thumbprint(key)})


def thumbprint(key: RSAPrivateKey) -> str:
    """The key's id: the RFC 7638 thumbprint of its public half."""
    jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    canonical = json.dumps({name: jwk[name] for name in ("e", "kty", "n")}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()
