"""The operator's command line on a test's own database and topics."""

from pathlib import Path

import pytest

from tests.aggregated import DAY, DAY_S, put_now, run, steady, verified
from tests.operator import Operator
from tests.servers import Database, Topics


@pytest.fixture
def operator(tmp_path: Path, database: Database, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """`plumbline` for this test's database and topics."""
    return Operator(tmp_path, database, topics, monkeypatch)


@pytest.fixture
def rolled(database: Database) -> Database:
    """Four devices on two days a month apart, with late data worked in; all of it stored."""
    for day in (DAY, DAY - 30 * DAY_S):
        put_now(database, steady(4, range(100, 4_000, 5), day=day))
    run(database)
    put_now(database, [("dev-1", DAY + 65.5, {"a": 1e6}), ("dev-2", DAY + 66.5, {"b": -1e6})])
    run(database)
    verified(database)
    return database
