"""Runs the operator's commands in this process, on a home that points at a test's database and topics."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deploy.local import environment
from ops.cli import app
from tests.servers import Database, Topics


class Operator:
    """`plumbline` for one test."""

    def __init__(self, home: Path, database: Database, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
        environment.write(
            home, database.environment() | {"KAFKA_BOOTSTRAP_SERVERS": topics.settings.kafka_bootstrap_servers}
        )
        monkeypatch.setenv("PLUMBLINE_HOME", str(home))
        for name in ("TOPIC_READINGS", "TOPIC_DEAD_LETTERS", "TOPIC_ACKS_PREFIX"):
            monkeypatch.setenv(name, topics.environment()[name])

    def run(self, *arguments: str, typed: str | None = None) -> Result:
        """What the command did; its exception, if it raised one, is in the result."""
        return CliRunner().invoke(app, list(arguments), input=typed)

    def json(self, *arguments: str, status: int = 0) -> Any:
        """The JSON that it printed."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == status, (done.output, done.exception)
        return json.loads(done.stdout)
