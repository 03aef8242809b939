"""plumbline doctor: what is wrong, and the command that mends it."""

from dataclasses import asdict

import typer

from deploy import parts
from deploy.local import home
from ops.console import Json, print_rows


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: plumbline doctor")(doctor)


def doctor(as_json: Json = False) -> None:
    """Look at this machine and at each part of the stack; exit status 1 if something needed is broken."""
    findings = parts.findings(home.default())
    print_rows([asdict(finding) for finding in findings], as_json)
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)
