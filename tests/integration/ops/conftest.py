"""The operator's command line on a test's own database and topics."""

from pathlib import Path

import pytest

from tests.operator import Operator
from tests.servers import Database, Topics


@pytest.fixture
def operator(tmp_path: Path, database: Database, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """`plumbline` for this test's database and topics."""
    return Operator(tmp_path, database, topics, monkeypatch)
