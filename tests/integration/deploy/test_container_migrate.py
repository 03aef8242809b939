"""What runs before the services of a stack in containers: it makes what is missing, and nothing a second time."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.docker import migrate
from deploy.local import environment
from shared import kafka, migrations
from shared.errors import PlumblineError
from tests.servers import Database, Topics


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path))
    return tmp_path


def test_it_makes_schema_and_topics_once(
    stack: Mapping[str, str],
    database: Database,
    topics: Topics,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment.write(home, {**stack, "DB_NAME": database.name})
    missing = f"{topics.settings.topic_dead_letters}.of-containers"
    for name, value in {**topics.environment(), "TOPIC_DEAD_LETTERS": missing}.items():
        monkeypatch.setenv(name, value)
    with database.connect() as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    try:
        assert migrate.main() == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("applied migration 0001_")
        assert lines[-1] == f"made topic {missing}"
        migrations.require(database.conninfo)
        assert migrate.main() == 0
        assert capsys.readouterr().out == "up to date\n"
    finally:
        admin = kafka.admin(topics.settings)
        admin.delete_topics([missing], operation_timeout=10)[missing].result()


def test_without_secrets_it_says_so(home: Path) -> None:
    with pytest.raises(PlumblineError, match=f"there is no stack in {home} → "):
        migrate.main()
