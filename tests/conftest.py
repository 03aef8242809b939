"""Real servers for the tests: one Kafka and one Postgres a session, a database and topics of its own a test.

Each session has its own folder and ports, so that sessions can run side by side.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.local import environment, ports
from tests import servers
from tests.servers import Database, Topics


def pytest_addoption(parser: pytest.Parser) -> None:
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
    known = environment.with_secrets(environment.addresses(ports.DEFAULTS), Path())
    for name in (*known, "PLUMBLINE_HOME", "DEMO_SECONDS", "DATABASE_URL"):
        os.environ.pop(name, None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out, and counts as deselected, what only `make faults` has the time for."""
    if not config.getoption("--long"):
        left_out = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The variables of stack.env of a Kafka and a Postgres that run for this session only."""
    with servers.stack(tmp_path_factory.mktemp("stack").resolve(), ("kafka", "postgres")) as values:
        servers.make_template(values)
        yield values


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
