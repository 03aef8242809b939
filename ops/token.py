"""plumbline token: an access token of the stack's built-in issuer."""

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from api_service.auth.issuer import Issuer
from api_service.auth.signing import OwnKeys
from deploy.local import environment, home
from deploy.local.issuer import SCOPES
from ops.console import Json, print_json
from shared.errors import ConfigurationError

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
    """Print a token of the built-in issuer, which the stack's API accepts; an external provider's come from there."""
    scopes = scope or ["read:stats"]
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(SCOPES)}", param_hint="--scope")
    lifetime = seconds(ttl)
    values = environment.require(home.default())
    require_own_issuer(values)
    made = sign(values, subject, scopes, devices, lifetime)
    if as_json:
        print_json({"access_token": made, "token_type": "Bearer", "expires_in": lifetime, "scope": " ".join(scopes)})
    else:
        print(made)


def require_own_issuer(values: Mapping[str, str]) -> None:
    """Raises ConfigurationError where the API takes tokens of another issuer."""
    if {**values, **os.environ}.get("JWT_ISSUER"):
        raise ConfigurationError(
            "JWT_ISSUER: it names an external identity provider, whose tokens aren't ours to make "
            "→ ask it for one, or unset JWT_ISSUER"
        )


def seconds(text: str) -> int:
    """The seconds that "90s", "15m", "1h" or "7d" are."""
    match = re.fullmatch(r"([1-9]\d{0,8})([smhd])", text)
    if not match:
        raise typer.BadParameter(f"{text!r} isn't like 90s, 15m, 1h or 7d", param_hint="--ttl")
    return int(match[1]) * UNITS[match[2]]


def sign(
    values: Mapping[str, str], subject: str, scopes: Sequence[str], devices: Sequence[str] | None, lifetime_s: int
) -> str:
    """A token signed with the stack's key, valid from now; without `devices` it covers all of them."""
    keys = OwnKeys(Path(values["AUTH_SIGNING_KEY_FILE"]))
    issuer = Issuer(values["AUTH_ISSUER"], values["JWT_AUDIENCE"], keys)
    return issuer.issue(subject, scopes, devices or None, time.time(), lifetime_s)
