"""Commands that messages name are typed differently where the stack is in containers."""

import re

import pytest
import typer

from deploy.local.home import CHECKOUT
from ops.cli import app
from shared import deployment

COMMANDS = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
# What people are shown, without docstrings: help texts are of `plumbline` itself.
SHOWN = [
    (file, found[1])
    for package in ("shared", "ops", "deploy", "ingestion_service", "aggregation_service", "api_service", "simulator")
    for file in sorted((CHECKOUT / package).rglob("*.py"))
    for found in re.finditer(r"\bplumbline ([a-z][a-z-]*)", re.sub(r'"""(?s:.*?)"""', "", file.read_text()))
]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("→ plumbline up", "→ docker compose up -d"),
        ("→ start it (`plumbline up`) or set DB_HOST", "→ start it (`docker compose up -d`) or set DB_HOST"),
        ("→ plumbline up --only api,ingestion", "→ docker compose up -d api ingestion"),
        ("→ plumbline down", "→ docker compose down"),
        ("restore it, or `plumbline reset`", "restore it, or `docker compose down -v`"),
        ("→ plumbline dlq list --since -1h", "→ docker compose run --rm ops dlq list --since -1h"),
        ("→ run python -m shared.migrations, and", "→ run docker compose up migrate, and"),
        ("→ pip install 'plumbline[otel]', or", "→ PLUMBLINE_EXTRA=otel docker compose up --build -d, or"),
        ("→ python -m simulator --from -1h", "→ docker compose run --rm simulator --from -1h"),
        ("→ DEMO_SECONDS=60 make demo", "→ DEMO_SECONDS=60 make demo-docker"),
        (
            "plumbline, the pipeline; plumbline-ops:dev; {braces}",
            "plumbline, the pipeline; plumbline-ops:dev; {braces}",
        ),
    ],
)
def test_a_command_is_named_as_it_is_typed_in_containers(said: str, meant: str) -> None:
    assert deployment.contained(said) == meant


def test_beside_the_embedded_stack_messages_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(deployment.VARIABLE, raising=False)
    assert deployment.typed("→ plumbline up") == "→ plumbline up"
    monkeypatch.setenv(deployment.VARIABLE, deployment.COMPOSE)
    assert deployment.typed("→ plumbline up") == "→ docker compose up -d"


def test_whatever_follows_the_name_in_a_message_is_a_command() -> None:
    assert len(SHOWN) > 30
    assert [(str(file), word) for file, word in SHOWN if word not in COMMANDS] == []
