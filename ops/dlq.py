"""plumbline dlq: look at what could not be taken."""

import base64
from typing import Annotated, Any

import typer

from deploy.local import environment, home
from ops import store
from ops.console import Json, print_json, print_rows
from shared.errors import PlumblineError

dlq = typer.Typer(no_args_is_help=True, help="Look at dead letters.")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(dlq, name="dlq")


@dlq.command("list", epilog="Example: plumbline dlq list --code bad_timestamp --limit 20")
def show_list(
    code: Annotated[str | None, typer.Option(help="Only these, as in the contract: malformed, bad_metric, …")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most, newest first.")] = 50,
    as_json: Json = False,
) -> None:
    """List dead letters, newest first."""
    with store.snapshot(environment.require(home.default())) as connection:
        print_rows(store.dead_letters(connection, code, limit), as_json)


@dlq.command("show", epilog="Example: plumbline dlq show telemetry.readings 3 1042")
def show_one(topic: str, partition: int, offset: int, as_json: Json = False) -> None:
    """Show one dead letter with its key, headers and original bytes."""
    with store.snapshot(environment.require(home.default())) as connection:
        letter = store.dead_letter(connection, topic, partition, offset)
    if letter is None:
        raise PlumblineError(f"no dead letter of {topic}[{partition}] at offset {offset} → plumbline dlq list")
    shown = {name: _readable(value) for name, value in letter.items()}
    if as_json:
        print_json(shown)
        return
    for name, value in shown.items():
        print(f"{name:13} {value}")


def _readable(value: Any) -> Any:
    """Bytes as text where they are UTF-8, else as base64 with a mark."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(value).decode()}"
