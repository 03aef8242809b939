"""plumbline keys: rotation with overlap, and what it takes to remove a key."""

import json
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from typer.testing import CliRunner, Result

from api_service.auth.signing import OwnKeys, ring
from deploy.local import environment, issuer
from ops import token
from ops.cli import app
from ops.keys import key_file
from shared.errors import ConfigurationError, PlumblineError

HOUR = timedelta(hours=1)


@pytest.fixture
def values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    made = environment.with_secrets({}, tmp_path)
    Path(made["AUTH_SIGNING_KEY_FILE"]).touch(0o600)
    Path(made["AUTH_SIGNING_KEY_FILE"]).write_bytes(key_file.make("ES256", datetime.now(UTC)).pem)
    issuer.ensure(made)
    environment.write(tmp_path, made)
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path))
    monkeypatch.delenv("AUTH_TOKEN_TTL_SECONDS", raising=False)
    return made


@pytest.fixture
def file(values: dict[str, str]) -> Path:
    return Path(values["AUTH_SIGNING_KEY_FILE"])


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments])


def listed(*arguments: str) -> Any:
    done = run("list", "--json", *arguments)
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout)


def refusal(arguments: Sequence[str]) -> str:
    done = run(*arguments)
    assert isinstance(done.exception, PlumblineError)
    return str(done.exception)


def test_a_rotation_signs_with_a_new_key_and_keeps_the_old_one(values: dict[str, str], file: Path) -> None:
    before = token.sign(values, "ann", ["read:stats"], None, 3600)
    assert run("rotate").exit_code == 0
    after = token.sign(values, "ann", ["read:stats"], None, 3600)
    new, old = [row["kid"] for row in listed()]
    assert jwt.get_unverified_header(before)["kid"] == old
    assert jwt.get_unverified_header(after)["kid"] == new
    keys = OwnKeys(file).current()
    for kid, made in ((old, before), (new, after)):
        found = keys.find(kid, "ES256")
        assert found is not None
        assert jwt.decode(made, found.public, ["ES256"], audience="plumbline")["sub"] == "ann"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {path.name for path in file.parent.iterdir()} == {file.name, "issuer-clients.json", "stack.env"}


def test_what_the_list_says(file: Path) -> None:
    run("rotate", "--algorithm", "RS256")
    first, second = listed("--ttl", "2h")
    assert (first["algorithm"], first["does"], first["needed_until"]) == ("RS256", "signs", None)
    assert (second["algorithm"], second["does"]) == ("ES256", "verifies")
    lasts = datetime.fromisoformat(second["needed_until"]) - datetime.fromisoformat(first["since"])
    assert lasts == 2 * HOUR + timedelta(minutes=1)
    assert "signs" in run("list").output
    assert b"PRIVATE" not in run("list").output.encode()


def test_a_key_is_retired_once_no_token_of_it_can_be_alive(file: Path) -> None:
    run("rotate")
    new, old = [row["kid"] for row in listed()]
    assert f"tokens of {old} may be alive until" in refusal(["retire"])
    assert f"tokens of {old} may be alive until" in refusal(["retire", "--kid", old])
    text = file.read_text().replace(listed()[0]["since"], "2026-01-01T00:00:00Z")
    file.write_text(text)
    assert listed()[1]["does"] == "can be retired"
    assert json.loads(run("retire", "--json").stdout)["removed"] == [old]
    assert [row["kid"] for row in listed()] == [new]


def test_without_a_name_those_are_retired_that_can_be(file: Path) -> None:
    run("rotate")
    noted = listed()[0]["since"]
    file.write_text(file.read_text().replace(noted, "2026-01-01T00:00:00Z"))
    run("rotate")
    newest, middle, oldest = [row["kid"] for row in listed()]
    assert f"tokens of {middle} may be" in refusal(["retire", "--kid", oldest, "--kid", middle])
    assert json.loads(run("retire", "--json").stdout)["removed"] == [oldest]
    assert [row["kid"] for row in listed()] == [newest, middle]


def test_force_ends_its_tokens(file: Path) -> None:
    run("rotate")
    run("rotate")
    newest, *_, oldest = [row["kid"] for row in listed()]
    assert run("retire", "--force", "--kid", oldest).exit_code == 0
    assert len(listed()) == 2
    assert run("retire", "--force").exit_code == 0
    assert [row["kid"] for row in listed()] == [newest]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["retire"], "the only key signs → plumbline keys rotate"),
        (["retire", "--kid", "nobody"], "there is no key nobody → plumbline keys list"),
        (["list", "--ttl", "soon"], "'soon' is no duration → "),
        (["rotate", "--file", "/nowhere/key.pem"], "/nowhere"),
    ],
)
def test_what_is_refused(file: Path, arguments: list[str], problem: str) -> None:
    before = file.read_bytes()
    done = run(*arguments)
    assert done.exit_code != 0
    assert problem in str(done.exception)
    assert file.read_bytes() == before


def test_the_key_that_signs_stays(file: Path) -> None:
    run("rotate")
    assert "signs → plumbline keys rotate" in refusal(["retire", "--force", "--kid", listed()[0]["kid"]])


def test_a_file_without_notes_counts_from_when_it_was_written(file: Path) -> None:
    both = key_file.make("ES256", datetime.now(UTC)).pem + b"\n" + file.read_bytes()
    file.write_bytes(both)
    first, second = key_file.read(file)
    assert first.since is second.since is None
    until = key_file.needed_until([first, second], datetime(2026, 1, 1, tzinfo=UTC), HOUR)
    assert until == [None, datetime(2026, 1, 1, 1, 1, tzinfo=UTC)]
    run("rotate")
    assert [row["does"] for row in listed()] == ["signs", "verifies", "verifies"]


def test_what_is_rendered_is_read_again() -> None:
    noted = key_file.make("ES256", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    text = key_file.render([noted, key_file.Entry(noted.pem, noted.key, None)])
    assert text.startswith(b"# signs since 2026-01-02T03:04:05.000000Z\n-----BEGIN PRIVATE KEY-----\n")


def test_a_file_that_the_api_could_not_use_is_left_alone(file: Path) -> None:
    file.write_bytes(b"broken")
    done = run("rotate")
    assert isinstance(done.exception, ConfigurationError)
    assert file.read_bytes() == b"broken"


def test_a_link_is_followed_and_the_groups_right_to_read_kept(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.pem"
    link.symlink_to(file)
    file.chmod(0o644)
    assert run("rotate", "--file", str(link)).exit_code == 0
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert len(ring(file).pairs) == 2
