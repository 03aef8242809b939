"""plumbline up, down, reset: the embedded stack."""

from typing import Annotated

import typer

from deploy.local import environment, home, stack, status
from ops.console import Json, Yes, print_json, progress
from shared import deployment
from shared.errors import PlumblineError

Only = Annotated[str, typer.Option(help=f"Parts, separated by commas: {', '.join(stack.PARTS)}.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command(epilog="Example: plumbline up --only kafka,postgres,ingestion")(up)
    app.command(epilog="Example: plumbline down --only ingestion")(down)
    app.command(epilog="Example: plumbline reset --yes")(reset)


def up(only: Only = "", as_json: Json = False) -> None:
    """Start the stack, or the parts that --only names; what runs already is kept.

    Parts that --only names are started with the settings of the environment that this is called in.
    """
    beside_us(f"plumbline up --only {only}" if only else "plumbline up")
    where = home.default()
    parts = _parts(only) if only else stack.DEFAULT_PARTS
    outcome = stack.up(where, parts, stack.Options(only_part=bool(only)), progress(as_json))
    if as_json:
        print_json({"home": str(where), "started": outcome.started, "reused": outcome.reused})
        return
    for name in outcome.started + outcome.reused:
        note = "" if name in outcome.started else " (ran already)"
        print(f"{name} is ready: {status.address(name, outcome.values)}{note}")
    if "api" in outcome.started + outcome.reused:
        scopes = "--scope read:stats --scope read:records"
        print(f"the analysts' page: {outcome.values['API_URL']}/ (to log in: plumbline token {scopes})")
    print(f"settings and secrets: {environment.file(where)}")


def down(only: Only = "", as_json: Json = False) -> None:
    """Stop the stack, or the parts that --only names. Data stays."""
    beside_us(f"docker compose stop {' '.join(_names(only))}" if only else "plumbline down")
    stopped = stack.down(home.default(), _parts(only) if only else stack.PARTS, progress(as_json))
    if as_json:
        print_json({"stopped": stopped})
    elif not stopped:
        print("nothing was running")


def reset(
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Stop the stack and remove its data, secrets and logs."""
    beside_us("plumbline reset")
    where = home.default()
    if not yes:
        typer.confirm(f"Remove all data of the stack in {where} (--yes doesn't ask)?", abort=True)
    stack.reset(where, progress(as_json))
    if as_json:
        print_json({"removed": str(where)})
    else:
        print(f"removed the data in {where}")


def _parts(only: str) -> tuple[str, ...]:
    return stack.choose(_names(only))


def _names(only: str) -> list[str]:
    return [name.strip() for name in only.split(",") if name.strip()]


class Elsewhere(PlumblineError):
    """A command for the embedded stack, where there is none."""

    exit_status = 2


def beside_us(command: str) -> None:
    """Refuse a command that starts or stops processes beside this one, in a container.

    Raises:
        Elsewhere: it says what to type instead.
    """
    if deployment.composed():
        raise Elsewhere(f"this stack runs in containers, which the engine starts and stops → {command}")
