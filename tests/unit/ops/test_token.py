"""Tokens of the built-in issuer."""

import json
from pathlib import Path

import jwt
import pytest
import typer

from api_service.auth.signing import OwnKeys
from deploy.local import environment, issuer
from ops import token
from shared.errors import PlumblineError


@pytest.fixture
def values(tmp_path: Path) -> dict[str, str]:
    made = environment.with_secrets({}, tmp_path)
    issuer.ensure(made)
    return made


def test_a_token_verifies_with_the_stacks_public_key_and_says_what_was_asked(values: dict[str, str]) -> None:
    signed = token.sign(values, "ann", ["read:stats", "read:records"], ["dev-*"], 3600)
    key = OwnKeys(Path(values["AUTH_SIGNING_KEY_FILE"])).pairs[0].verifying()
    read = jwt.decode(signed, key.public, algorithms=["RS256"], audience="plumbline", issuer="plumbline")
    assert read["scope"] == "read:stats read:records"
    assert read["devices"] == ["dev-*"]
    assert read["exp"] - read["iat"] == 3600
    assert jwt.get_unverified_header(signed)["kid"] == key.kid


def test_a_token_for_all_devices_has_no_devices_claim(values: dict[str, str]) -> None:
    signed = token.sign(values, "ann", ["read:stats"], [], 60)
    assert "devices" not in jwt.decode(signed, options={"verify_signature": False})


def test_the_key_and_the_clients_stay_and_only_the_owner_can_read_them(values: dict[str, str]) -> None:
    before = {name: Path(values[name]).read_bytes() for name in ("AUTH_SIGNING_KEY_FILE", "AUTH_CLIENTS_FILE")}
    issuer.ensure(values)
    for name, content in before.items():
        assert Path(values[name]).read_bytes() == content
        assert Path(values[name]).stat().st_mode & 0o777 == 0o600
    clients = json.loads(before["AUTH_CLIENTS_FILE"])
    assert clients[0]["client_id"] == values["AUTH_CLIENT_ID"]
    assert values["AUTH_CLIENT_SECRET"] not in before["AUTH_CLIENTS_FILE"].decode()


def test_a_missing_key_is_one_clear_error(values: dict[str, str]) -> None:
    Path(values["AUTH_SIGNING_KEY_FILE"]).unlink()
    with pytest.raises(PlumblineError, match=r"AUTH_SIGNING_KEY_FILE: .* → "):
        token.sign(values, "ann", ["read:stats"], None, 60)


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604_800)])
def test_durations(text: str, expected: int) -> None:
    assert token.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "1", "h", "0s", "-1h", "1.5h", "1h30m", "1w"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        token.seconds(text)


def test_an_external_providers_tokens_are_not_ours_to_make(
    values: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.write(tmp_path, values)
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path))
    monkeypatch.setenv("JWT_ISSUER", "https://login.example")
    with pytest.raises(PlumblineError, match=r"JWT_ISSUER: .* → ask it"):
        token.token()
