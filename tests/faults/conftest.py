"""The report of a run: a row a fault. `make faults` prints it; so does every run that has faults in it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from tests import servers
from tests.backend import Backend
from tests.faults import broker, postgres
from tests.faults.broker import Broker
from tests.faults.postgres import Server
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.servers import Database, Topics

_VERDICTS = pytest.StashKey[list[Verdict]]()
_COLUMNS = ("fault", "injected", "in flight", "lost", "doubled", "recovery s")


@pytest.fixture(scope="session")
def long(pytestconfig: pytest.Config) -> bool:
    """Whether faults last as long as they do in the field, or only as long as a test can wait."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session")
def kafka(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker beside the session's, for tests that stop theirs."""
    with broker.running(backend, tmp_path_factory.mktemp("kafka").resolve()) as running:
        yield running


@pytest.fixture(scope="session")
def server(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Postgres beside the session's, for tests that stop theirs."""
    with postgres.running(backend, tmp_path_factory.mktemp("postgres").resolve()) as running:
        yield running


@pytest.fixture
def report(pytestconfig: pytest.Config) -> Callable[[Verdict], None]:
    """Takes a verdict into the report."""
    return pytestconfig.stash.setdefault(_VERDICTS, []).append


@pytest.fixture
def scene(topics: Topics, database: Database, report: Callable[[Verdict], None]) -> Scene:
    """A scene on the session's servers, with two partitions."""
    return Scene(topics, database, report)


@pytest.fixture
def own(topics: Topics, server: Server, report: Callable[[Verdict], None]) -> Iterator[Scene]:
    """A scene on the session's Kafka and the Postgres that may be stopped."""
    with servers.database(server.values) as database:
        yield Scene(topics, database, report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    verdicts = config.stash.get(_VERDICTS, [])
    if path := config.getoption("--faults-json"):
        lines = [json.dumps(asdict(verdict) | {"problems": list(verdict.problems)}) for verdict in verdicts]
        Path(path).write_text("".join(f"{line}\n" for line in lines))
    faults = [verdict for verdict in verdicts if not verdict.without]
    controls = [verdict for verdict in verdicts if verdict.without]
    if faults:
        terminalreporter.section("faults")
        _table(terminalreporter, [_COLUMNS, *map(_row, faults)])
    if controls:
        terminalreporter.section("the same without their protection")
        _table(terminalreporter, [("fault", "without", "what the test saw"), *map(_caught, controls)])


def _row(verdict: Verdict) -> tuple[str, ...]:
    counts = (verdict.injected, verdict.in_flight, verdict.lost, verdict.doubled)
    return verdict.fault, *(f"{count:,}" for count in counts), f"{verdict.recovery_seconds:.1f}"


def _caught(verdict: Verdict) -> tuple[str, str, str]:
    seen = [f"{name} {n:,}" for name, n in (("lost", verdict.lost), ("doubled", verdict.doubled)) if n]
    seen += [problem.splitlines()[0][:80] for problem in verdict.problems if not seen][:1]
    return verdict.fault, verdict.without, f"{', '.join(seen)}: caught" if seen else "NOTHING"


def _table(to: pytest.TerminalReporter, table: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        to.write_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
