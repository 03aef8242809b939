"""An API process a module, and the report: a line for each row of the security table, with what was seen."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests import servers
from tests.integration.api_service.security.door import Door, opened
from tests.integration.api_service.warehouse import MICROS, Warehouse, at
from tests.servers import Database

Note = Callable[[str, str], None]

_SEEN = pytest.StashKey[dict[str, Counter[str]]]()
OWN, OTHER = "ward-1", "other-1"


@pytest.fixture(scope="module")
def filled(stack: Mapping[str, str]) -> Iterator[Database]:
    """A database with events of two devices."""
    with servers.database(stack) as made:
        with made.connect() as connection:
            start = at("2025-05-01T00:00:00")
            Warehouse(connection).add(
                [(device, start + n * MICROS, {"m": n}) for device in (OWN, OTHER) for n in range(3)]
            )
        yield made


@pytest.fixture(scope="module")
def door(stack: Mapping[str, str], filled: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """An API with its ordinary settings."""
    with servers.fresh_topics(stack, 2) as topics, opened(filled, topics, tmp_path_factory.mktemp("door")) as made:
        yield made


@pytest.fixture
def note(pytestconfig: pytest.Config) -> Note:
    """Takes (row of the table, what was seen) into the report."""
    seen = pytestconfig.stash.setdefault(_SEEN, {})

    def noted(row: str, what: str) -> None:
        seen.setdefault(row, Counter())[what] += 1

    return noted


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    seen = config.stash.get(_SEEN, {})
    if path := config.getoption("--security-json"):
        lines = [json.dumps({"row": row, "seen": dict(counts)}) for row, counts in seen.items()]
        Path(path).write_text("".join(f"{line}\n" for line in lines))
    if seen:
        terminalreporter.section("security: what was answered")
        for row, counts in seen.items():
            text = "; ".join(f"{what} ({count:,}×)" for what, count in counts.most_common())
            terminalreporter.write_line(f"{row}: {text}")
