"""Real servers for the tests: one Kafka and one Postgres a session, a database and topics of its own a test.

Each session has its own folder and ports, so that sessions can run side by side. `--servers` says whether they are
processes of this machine or containers; tests don't know.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.local import environment, ports
from shared.errors import PlumblineError
from tests import embedded, servers
from tests.backend import Backend
from tests.servers import Database, Topics

_BACKEND = pytest.StashKey[Backend]()
_LEFT_OUT = pytest.StashKey[Counter[tuple[str, str]]]()
_UNAVAILABLE = 69


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("servers")
    group.addoption(
        "--servers",
        choices=("embedded", "containers"),
        default="embedded",
        help="where Kafka and Postgres run: processes of this machine, or Docker (`make test-containers`)",
    )
    group = parser.getgroup("faults")
    group.addoption("--long", action="store_true", help="faults last as long as in the field (`make faults`)")
    group.addoption("--faults-json", metavar="FILE", help="write the table of faults as JSON lines")
    security = parser.getgroup("security")
    security.addoption("--security-json", metavar="FILE", help="write what the security table's rows saw as JSON lines")
    longer = parser.getgroup("model")
    longer.addoption("--model-examples", type=int, default=6, metavar="N", help="how long the model of statistics runs")


def pytest_configure(config: pytest.Config) -> None:
    """A shell that has sourced a stack's stack.env must not point the tests at that stack."""
    config.addinivalue_line("markers", "long: runs with --long only, as in `make faults`")
    config.addinivalue_line("markers", "embedded(what): is about the embedded stack, so not run on containers")
    known = environment.with_secrets(environment.addresses(ports.DEFAULTS), Path())
    for name in (*known, "PLUMBLINE_HOME", "DEMO_SECONDS", "DATABASE_URL"):
        os.environ.pop(name, None)
    try:
        config.stash[_BACKEND] = _backend(config.getoption("--servers"))
    except PlumblineError as error:
        pytest.exit(str(error), _UNAVAILABLE)


def _backend(name: str) -> Backend:
    if name == "embedded":
        return embedded.backend()
    from tests import contained  # testcontainers looks for an engine's address when it is imported

    return contained.backend()


def pytest_report_header(config: pytest.Config) -> str:
    return f"servers: {config.stash[_BACKEND]}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out, and counts as deselected, what only `make faults` has the time for, or the other back end can do."""
    left_out = [] if config.getoption("--long") else [item for item in items if item.get_closest_marker("long")]
    if config.getoption("--servers") == "containers":
        reasons = config.stash.setdefault(_LEFT_OUT, Counter())
        for item in items:
            if item not in left_out and (marker := item.get_closest_marker("embedded")):
                left_out.append(item)
                reasons[item.nodeid.partition("::")[0], marker.args[0]] += 1
    config.hook.pytest_deselected(items=left_out)
    gone = set(left_out)
    items[:] = [item for item in items if item not in gone]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    backend = config.stash[_BACKEND]
    terminalreporter.section("servers")
    ran = [f"{count} × {backend.versions[part]}" for part, count in sorted(backend.started.items())]
    terminalreporter.write_line(f"{backend.name}: {', '.join(ran) or 'none ran'}")
    for (file, what), count in sorted(config.stash.get(_LEFT_OUT, Counter()).items()):
        terminalreporter.write_line(f"left out: {file} ({count}): {what}")


@pytest.fixture(scope="session")
def backend(pytestconfig: pytest.Config) -> Backend:
    """Where servers come from."""
    return pytestconfig.stash[_BACKEND]


@pytest.fixture(scope="session")
def stack(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The variables of stack.env of a Kafka and a Postgres that run for this session only."""
    with backend.stack(tmp_path_factory.mktemp("stack").resolve(), ("kafka", "postgres")) as running:
        servers.make_template(running.values)
        yield running.values


@pytest.fixture
def database(stack: Mapping[str, str]) -> Iterator[Database]:
    """A migrated database of the test's own."""
    with servers.database(stack) as made:
        yield made


@pytest.fixture
def make_topics(stack: Mapping[str, str]) -> Iterator[Callable[[int], Topics]]:
    """Makes topics of the test's own with so many partitions each; deleted after the test."""
    with ExitStack() as made:
        yield lambda partitions: made.enter_context(servers.fresh_topics(stack, partitions))


@pytest.fixture
def topics(make_topics: Callable[[int], Topics]) -> Topics:
    """Topics of the test's own with two partitions each."""
    return make_topics(2)
