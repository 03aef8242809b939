"""What a stack in containers is given once: files, each for the group of who needs it."""

import json
import os
import stat
from pathlib import Path

import pytest

from deploy.docker import secrets
from deploy.local import environment
from shared.errors import ConfigurationError
from tests.unit.deploy.docker.composed import SERVICES
from tests.unit.deploy.docker.composed import environment as variables

READERS = {
    "owner-password": secrets.POSTGRES,
    "ingestion-password": secrets.INGESTION,
    "aggregation-password": secrets.AGGREGATION,
    "api-password": secrets.API,
    "receipt-key": secrets.API,
    "issuer-key.pem": secrets.API,
    "issuer-clients.json": secrets.API,
    "readonly-password": secrets.GRAFANA,
    "grafana-password": secrets.GRAFANA,
}


@pytest.fixture(autouse=True)
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Files by name, with the group that they were given to: only root may really do that."""
    found: dict[str, int] = {}

    def chown(file: Path, owner: int, group: int) -> None:
        assert owner == -1
        found[file.name] = group

    monkeypatch.setattr(os, "chown", chown)
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_each_file_is_for_one_group_and_the_whole_for_none(tmp_path: Path, given: dict[str, int]) -> None:
    secrets.make(tmp_path, {})
    assert given == READERS
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {**dict.fromkeys(READERS, 0o440), "stack.env": 0o600}


def test_a_file_has_what_the_operator_s_commands_have(tmp_path: Path) -> None:
    secrets.make(tmp_path, {})
    values, files = environment.read(tmp_path), content(tmp_path)
    assert files["owner-password"].decode() == values["DB_PASSWORD"]
    assert files["readonly-password"].decode() == values["PLUMBLINE_READONLY_PASSWORD"]
    assert files["grafana-password"].decode() == values["GRAFANA_PASSWORD"]
    assert files["receipt-key"].decode() == values["RECEIPT_KEY"]
    assert json.loads(files["issuer-clients.json"])[0]["client_id"] == values["AUTH_CLIENT_ID"]
    assert values["AUTH_SIGNING_KEY_FILE"] == str(tmp_path / "issuer-key.pem")


def test_passwords_are_long_and_no_two_alike(tmp_path: Path) -> None:
    secrets.make(tmp_path, {})
    found = [secret for name, secret in content(tmp_path).items() if name.endswith(("-password", "-key"))]
    assert len(found) == 7
    assert len(set(found)) == len(found)
    assert all(len(secret) >= 32 for secret in found)


def test_a_second_time_nothing_changes(tmp_path: Path) -> None:
    secrets.make(tmp_path, {})
    before = content(tmp_path)
    secrets.make(tmp_path, {})
    assert content(tmp_path) == before


def test_what_is_new_is_added_to_what_there_is(tmp_path: Path) -> None:
    """A stack that was made before Grafana had a password, or with another file lost."""
    secrets.make(tmp_path, {})
    before = environment.read(tmp_path)
    environment.write(tmp_path, {name: value for name, value in before.items() if name != "GRAFANA_PASSWORD"})
    (tmp_path / "api-password").unlink()
    secrets.make(tmp_path, {})
    after = environment.read(tmp_path)
    assert after.pop("GRAFANA_PASSWORD") != before.pop("GRAFANA_PASSWORD")
    assert after == before
    assert (tmp_path / "api-password").read_text() == before["PLUMBLINE_API_PASSWORD"]


def test_what_the_api_and_the_commands_agree_on_is_the_caller_s(tmp_path: Path) -> None:
    secrets.make(tmp_path, {"AUTH_ISSUER": "https://plumbline.example.org", "JWT_AUDIENCE": "", "DB_PASSWORD": "mine"})
    values = environment.read(tmp_path)
    assert values["AUTH_ISSUER"] == "https://plumbline.example.org"
    assert values["JWT_AUDIENCE"] == "plumbline"
    assert values["DB_PASSWORD"] != "mine"
    assert set(secrets._AGREED) <= variables("secrets").keys() & variables("api").keys()


def test_addresses_are_those_of_the_network_and_are_renewed(tmp_path: Path) -> None:
    environment.write(tmp_path, {"DB_HOST": "elsewhere", "DB_PASSWORD": "kept"})
    secrets.make(tmp_path, {})
    values = environment.read(tmp_path)
    assert values["DB_PASSWORD"] == "kept"
    assert values.items() >= secrets.ADDRESSES.items()
    assert values["KAFKA_BOOTSTRAP_SERVERS"] == variables("ingestion")["KAFKA_BOOTSTRAP_SERVERS"]
    assert values["DB_HOST"] == variables("ingestion")["DB_HOST"]
    for name in ("ingestion", "aggregation", "api", "simulator"):
        port = variables(name)["METRICS_PORT"]
        assert values[f"METRICS_URL_{name.upper()}"] == f"http://{name}:{port}/metrics"
    for name in ("prometheus", "alertmanager", "grafana"):
        assert values[f"{name.upper()}_URL"].startswith(f"http://{name}:")


def test_each_file_that_compose_names_is_made_for_the_group_of_who_reads_it() -> None:
    for name in SERVICES:
        for variable, value in variables(name).items():
            if variable.endswith("_FILE"):
                group = READERS[str(value).removeprefix("/run/plumbline/")]
                assert str(group) in SERVICES[name]["group_add"], variable
                assert any(volume.startswith("home:/run/plumbline") for volume in SERVICES[name]["volumes"])


def test_without_the_group_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chown", refused)
    with pytest.raises(ConfigurationError, match=r"can't be given to group 101\d\d → .*group_add"):
        secrets.make(tmp_path, {})
