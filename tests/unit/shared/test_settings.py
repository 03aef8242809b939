"""Settings: read together, refused with the variable's name and the fix, secrets never shown."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from ingestion_service.settings import IngestionSettings
from shared.errors import ConfigurationError
from shared.settings import DatabaseSettings, ServiceSettings, help_text, load


def test_every_bad_variable_is_named_with_its_fix_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "nonsense")
    monkeypatch.setenv("DB_PORT", "70000")
    monkeypatch.setenv("BATCH_MAX_EVENTS", "many")
    with pytest.raises(ConfigurationError) as raised:
        load(IngestionSettings)
    lines = str(raised.value).splitlines()
    assert sorted(line.split(":")[0] for line in lines) == ["BATCH_MAX_EVENTS", "DB_PORT", "KAFKA_BOOTSTRAP_SERVERS"]
    assert all(" → " in line for line in lines)
    assert raised.value.exit_status == 78


def test_a_secret_comes_from_a_file_without_its_newline_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    monkeypatch.setenv("DB_PASSWORD_FILE", str(tmp_path / "password"))
    settings = load(DatabaseSettings)
    assert conninfo_to_dict(settings.conninfo())["password"] == "s3cret"
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in help_text(DatabaseSettings)


def test_a_secret_given_twice_or_in_a_missing_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DB_PASSWORD_FILE", str(tmp_path / "missing"))
    with pytest.raises(ConfigurationError, match=r"DB_PASSWORD_FILE: .*missing: No such file.* → "):
        load(DatabaseSettings)
    monkeypatch.setenv("DB_PASSWORD", "x")
    with pytest.raises(ConfigurationError, match="set as well → unset one"):
        load(DatabaseSettings)


def test_a_url_takes_the_place_of_the_single_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p%40ss@h:1234/d")
    parts = conninfo_to_dict(load(DatabaseSettings).conninfo("name"))
    assert (parts["user"], parts["password"], parts["host"], str(parts["port"]), parts["dbname"]) == (
        "u",
        "p@ss",
        "h",
        "1234",
        "d",
    )
    assert parts["application_name"] == "name"


def test_help_lists_every_variable_with_its_meaning() -> None:
    text = help_text(ServiceSettings)
    for name, field in ServiceSettings.model_fields.items():
        assert name.upper() in text
        assert field.description
        assert field.description in text
