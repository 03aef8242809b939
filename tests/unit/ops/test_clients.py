"""plumbline clients: secrets are made, shown once, and never kept."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api_service.auth.clients import Clients
from deploy.local import environment, issuer
from ops.cli import app
from shared.errors import PlumblineError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = environment.with_secrets({}, tmp_path)
    issuer.ensure(made)
    environment.write(tmp_path, made)
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path))
    return Path(made["AUTH_CLIENTS_FILE"])


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["clients", *arguments])


def test_a_client_is_added_with_a_secret_that_only_it_knows(file: Path) -> None:
    done = run("add", "ward-1", "--scope", "write:readings", "--devices", "ward-1-*", "--json")
    made = json.loads(done.stdout)
    secret = made["client_secret"]
    assert len(secret) == 43
    client = Clients(file).authenticate("ward-1", secret)
    assert client is not None
    assert (client.scopes, client.devices) == (("write:readings",), ("ward-1-*",))
    assert Clients(file).authenticate("ward-1", secret + "x") is None
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "ward-1-*" in run("list").output
    assert secret not in run("list", "--json").output
    assert [row["client_id"] for row in json.loads(run("list", "--json").stdout)] == ["plumbline-demo", "ward-1"]


def test_for_people_it_prints_two_lines(file: Path) -> None:
    lines = run("add", "ward-1", "--scope", "read:stats").stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["client_id", "client_secret"]
    assert "devices" not in json.loads(file.read_text())[1]
    assert "all" in run("list").output


def test_the_first_client_makes_the_file(file: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.json"
    assert run("add", "ward-1", "--scope", "read:stats", "--file", str(new)).exit_code == 0
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert run("list", "--file", str(new)).exit_code == 0


def test_a_client_is_removed(file: Path) -> None:
    secret = json.loads(run("add", "ward-1", "--scope", "read:stats", "--json").stdout)["client_secret"]
    assert run("remove", "ward-1").exit_code == 0
    assert Clients(file).authenticate("ward-1", secret) is None
    assert len(json.loads(file.read_text())) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (["add", "a:b", "--scope", "read:stats"], 2, ""),
        (["add", "", "--scope", "read:stats"], 2, ""),
        (["add", "a", "--scope", "read:everything"], 2, ""),
        (["add", "a"], 2, ""),
        (["add", "plumbline-demo", "--scope", "read:stats"], 1, "there is a client plumbline-demo → "),
        (["remove", "nobody"], 1, "there is no client nobody → "),
    ],
)
def test_what_is_refused_changes_nothing(file: Path, arguments: list[str], status: int, problem: str) -> None:
    before = file.read_bytes()
    done = run(*arguments)
    assert done.exit_code == status
    if problem:
        assert isinstance(done.exception, PlumblineError)
        assert str(done.exception).startswith(problem)
    assert file.read_bytes() == before
