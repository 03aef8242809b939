"""stack.env: what is written is read back, by us and by a shell."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local import environment, ports
from deploy.local.home import locked
from shared.errors import ConfigurationError, PlumblineError

VALUES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40)


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z_]{0,10}", fullmatch=True), VALUES))
def test_values_survive_being_written_and_read(values: dict[str, str]) -> None:
    assert environment.parse(environment.render(values)) == values


def test_a_shell_hands_on_the_same_values_and_runs_none_of_them(tmp_path: Path) -> None:
    values = {"A": 'it\'s $(touch gone) `id` "x"', "B": "two words", "C": "plain"}
    environment.write(tmp_path, values)
    script = """. ./stack.env; sh -c 'printf "%s\\n%s\\n%s\\n" "$A" "$B" "$C"'"""
    shown = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == list(values.values())
    assert not (tmp_path / "gone").exists()


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    environment.write(tmp_path, {"A": "b"})
    assert environment.file(tmp_path).stat().st_mode & 0o777 == 0o600


def test_every_port_is_read_back_from_the_addresses() -> None:
    assert environment.ports(environment.addresses(ports.DEFAULTS)) == ports.DEFAULTS


def test_secrets_are_given_once(tmp_path: Path) -> None:
    first = environment.with_secrets({}, tmp_path)
    assert environment.with_secrets(first, tmp_path) == first
    assert environment.with_secrets({}, tmp_path)["DB_PASSWORD"] != first["DB_PASSWORD"]


def test_a_home_that_was_made_before_a_secret_was_needed_gets_it(tmp_path: Path) -> None:
    older = {name: value for name, value in environment.with_secrets({}, tmp_path).items() if name != "RECEIPT_KEY"}
    newer = environment.with_secrets(older, tmp_path)
    assert newer["RECEIPT_KEY"]
    assert newer == {**newer, **older}


def test_a_command_that_needs_a_stack_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(PlumblineError, match=r"no stack in .* → plumbline up"):
        environment.require(tmp_path)


def test_a_home_that_cannot_be_used_is_bad_configuration(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"PLUMBLINE_HOME: .* can't be used"), locked(tmp_path / "file" / "x"):
        pass
