"""plumbline clients list, add, remove."""

import re
import secrets
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from api_service.auth import clients as registry
from api_service.auth.clients import Client
from deploy.local import environment, home, secret_file
from deploy.local.issuer import SCOPES
from ops.console import Json, print_json, print_rows
from shared.errors import PlumblineError

File = Annotated[Path | None, typer.Option("--file", help="If it isn't the stack's AUTH_CLIENTS_FILE.")]
Name = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="The client, and the subject of its tokens.")]

_NAME = re.compile(r"[\w.@/+-]{1,128}")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    clients = typer.Typer(help="Who may ask the built-in issuer for tokens.", no_args_is_help=True)
    clients.command("list", epilog="Example: plumbline clients list --json")(show)
    clients.command(epilog="Example: plumbline clients add ward-1 --scope write:readings --devices 'ward-1-*'")(add)
    clients.command(epilog="Example: plumbline clients remove ward-1")(remove)
    app.add_typer(clients, name="clients")


def show(file: File = None, as_json: Json = False) -> None:
    """Show the clients; their secrets are known to nobody but them."""
    known = registry.load(_chosen(file)).values()
    if as_json:
        print_json([{"client_id": each.client_id, "scopes": each.scopes, "devices": each.devices} for each in known])
        return
    rows = [(each.client_id, " ".join(each.scopes), each.devices) for each in known]
    print_rows(
        [
            {"client_id": name, "scopes": scopes, "devices": "all" if devices is None else " ".join(devices) or "none"}
            for name, scopes, devices in rows
        ],
        as_json=False,
    )


def add(
    client_id: Name,
    scope: Annotated[list[str], typer.Option(help=f"Repeatable: {', '.join(SCOPES)}.")],
    devices: Annotated[list[str] | None, typer.Option(help="Ids or * patterns, repeatable. Default: all.")] = None,
    file: File = None,
    as_json: Json = False,
) -> None:
    """Add a client and print its secret, this once. The API notices within seconds."""
    if not _NAME.fullmatch(client_id):
        raise typer.BadParameter("1 to 128 letters, digits and . _ @ / + -", param_hint="CLIENT_ID")
    if unknown := sorted(set(scope) - set(SCOPES)):
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(SCOPES)}", param_hint="--scope")
    secret = secrets.token_urlsafe(32)
    made = Client(client_id, registry.digest(secret), tuple(dict.fromkeys(scope)), tuple(devices) if devices else None)
    chosen = _chosen(file)
    with secret_file.locked(chosen):
        known = registry.load(chosen) if chosen.exists() else {}
        if client_id in known:
            raise PlumblineError(
                f"there is a client {client_id} → plumbline clients remove {client_id}, or another name"
            )
        _write(chosen, {**known, client_id: made})
    if as_json:
        print_json({"client_id": client_id, "client_secret": secret, "scopes": made.scopes, "devices": made.devices})
    else:
        print(f"client_id: {client_id}\nclient_secret: {secret}")


def remove(client_id: Name, file: File = None, as_json: Json = False) -> None:
    """Remove a client. It gets no more tokens within seconds; those that it has stay valid until they expire."""
    chosen = _chosen(file)
    with secret_file.locked(chosen):
        known = registry.load(chosen)
        if client_id not in known:
            raise PlumblineError(f"there is no client {client_id} → plumbline clients list shows those there are")
        _write(chosen, {name: each for name, each in known.items() if name != client_id})
    if as_json:
        print_json({"removed": client_id})
    else:
        print(f"removed {client_id}; tokens that it has stay valid until they expire")


def _write(file: Path, known: dict[str, Client]) -> None:
    secret_file.replace(file, msgspec.json.format(msgspec.json.encode(list(known.values())), indent=2) + b"\n")


def _chosen(file: Path | None) -> Path:
    return file or Path(environment.require(home.default())["AUTH_CLIENTS_FILE"])
