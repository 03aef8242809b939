"""plumbline keys list, rotate, retire."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from api_service.settings import ApiSettings
from deploy.local import environment, home, secret_file
from ops.console import Json, print_json, print_rows, tell
from ops.keys import key_file
from ops.keys.key_file import Entry
from ops.moments import duration, rfc3339
from shared.errors import PlumblineError

File = Annotated[Path | None, typer.Option("--file", help="If it isn't the stack's AUTH_SIGNING_KEY_FILE.")]
Lifetime = Annotated[
    str, typer.Option("--ttl", help="How long tokens live. Default: AUTH_TOKEN_TTL_SECONDS, as the API has it.")
]
Algorithm = Annotated[Literal["RS256", "ES256"] | None, typer.Option(help="Default: that of the key that signs now.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    keys = typer.Typer(help="The built-in issuer's signing keys.", no_args_is_help=True)
    keys.command("list", epilog="Example: plumbline keys list --json")(show)
    keys.command(epilog="Example: plumbline keys rotate")(rotate)
    keys.command(epilog="Example: plumbline keys retire")(retire)
    app.add_typer(keys, name="keys")


def show(file: File = None, ttl: Lifetime = "", as_json: Json = False) -> None:
    """Show the keys, the one that signs first, and until when tokens of the others may be alive."""
    print_rows(_rows(_chosen(file), _lifetime(ttl), _now()), as_json)


def rotate(file: File = None, algorithm: Algorithm = None, as_json: Json = False) -> None:
    """Sign with a new key from now on; tokens that are out stay valid. The API notices within seconds."""
    chosen = _chosen(file)
    with secret_file.locked(chosen):
        before = key_file.read(chosen)
        # A key that nobody noted began to sign no later than now.
        known = [Entry(each.pem, each.key, each.since or key_file.changed(chosen)) for each in before]
        made = key_file.make(algorithm or before[0].key.algorithm, _now())
        secret_file.replace(chosen, key_file.render([made, *known]))
    if as_json:
        print_json({"signs": made.key.kid, "algorithm": made.key.algorithm, "file": str(chosen)})
        return
    print(f"{made.key.kid} ({made.key.algorithm}) signs from now on, {before[0].key.kid} still verifies")
    tell("plumbline keys list shows until when it is needed; plumbline keys retire removes it then")


def retire(
    kid: Annotated[list[str] | None, typer.Option(help="Which key, repeatable. Default: all that don't sign.")] = None,
    ttl: Lifetime = "",
    force: Annotated[bool, typer.Option("--force", help="Even if tokens of it may be alive: they end.")] = False,
    file: File = None,
    as_json: Json = False,
) -> None:
    """Remove keys that don't sign any more, once no token of theirs can be alive."""
    chosen = _chosen(file)
    with secret_file.locked(chosen):
        entries = key_file.read(chosen)
        gone = _removable(entries, set(kid or ()))
        if not force:
            gone = _dead(entries, gone, chosen, _lifetime(ttl), named=bool(kid))
        secret_file.replace(chosen, key_file.render([each for each in entries if each not in gone]))
    if as_json:
        print_json({"removed": [each.key.kid for each in gone], "file": str(chosen)})
        return
    for each in gone:
        print(f"removed {each.key.kid}: its tokens are refused as soon as the API notices, within seconds")


def _removable(entries: list[Entry], named: set[str]) -> list[Entry]:
    if unknown := named - {each.key.kid for each in entries}:
        raise PlumblineError(
            f"there is no key {', '.join(sorted(unknown))} → plumbline keys list shows those there are"
        )
    if entries[0].key.kid in named:
        raise PlumblineError(f"{entries[0].key.kid} signs → plumbline keys rotate makes another one sign first")
    gone = [each for each in entries[1:] if not named or each.key.kid in named]
    if not gone:
        raise PlumblineError("the only key signs → plumbline keys rotate makes another one sign first")
    return gone


def _dead(entries: list[Entry], wanted: list[Entry], file: Path, lifetime: timedelta, *, named: bool) -> list[Entry]:
    """Those that no token needs any more. If they were named, it must be all of them, else there must be some."""
    until = key_file.needed_until(entries, key_file.changed(file), lifetime)
    alive = {each.key.kid: last for each, last in zip(entries, until, strict=True) if last and last > _now()}
    dead = [each for each in wanted if each.key.kid not in alive]
    if waiting := [each.key.kid for each in wanted if each not in dead and (named or not dead)]:
        last = rfc3339(alive[waiting[-1]])
        raise PlumblineError(
            f"tokens of {waiting[-1]} may be alive until {last} → wait until then, or --force ends them"
        )
    return dead


def _rows(file: Path, lifetime: timedelta, now: datetime) -> list[dict[str, object]]:
    entries = key_file.read(file)
    until = key_file.needed_until(entries, key_file.changed(file), lifetime)
    return [
        {
            "kid": each.key.kid,
            "algorithm": each.key.algorithm,
            "does": "signs" if last is None else "verifies" if last > now else "can be retired",
            "since": each.since and rfc3339(each.since),
            "needed_until": last and rfc3339(last),
        }
        for each, last in zip(entries, until, strict=True)
    ]


def _chosen(file: Path | None) -> Path:
    return file or Path(environment.require(home.default())["AUTH_SIGNING_KEY_FILE"])


def _lifetime(ttl: str) -> timedelta:
    if ttl:
        return abs(duration(ttl))
    default: int = ApiSettings.model_fields["auth_token_ttl_seconds"].default
    text = os.environ.get("AUTH_TOKEN_TTL_SECONDS", str(default))
    if not text.isdecimal():
        raise PlumblineError("AUTH_TOKEN_TTL_SECONDS is no whole number → give --ttl 1h, as the API has it")
    return timedelta(seconds=int(text))


def _now() -> datetime:
    return datetime.now(UTC)
