"""A stack of containers a session, from images that are built once, and the report at the end of the run."""

import datetime
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose import cli, report
from tests.compose.client import Client
from tests.compose.history import watched
from tests.compose.report import Report
from tests.compose.stack import SERVICES, TAG, Stack, removed_at_the_end, tagged
from tests.pipeline import wait_for

_REPORT = pytest.StashKey[Report]()
_STACK = pytest.StashKey[Stack]()
_TEST_S = 300.0
SCOPES = ("write:readings", "read:stats", "read:records")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("compose")
    group.addoption("--compose-json", metavar="FILE", help="write what was measured as JSON lines")
    group.addoption("--compose-doc", metavar="FILE", help="write what was measured as a document")
    group.addoption("--from-nothing", action="store_true", help="build the images without any cache, and say how long")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "smoke: what CI runs, in three minutes")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_TEST_S))


@pytest.fixture(scope="session")
def measured(pytestconfig: pytest.Config) -> Report:
    """What is printed at the end. Without an engine or compose the run ends here, and says what to do."""
    try:
        return pytestconfig.stash.setdefault(_REPORT, Report(cli.versions()))
    except (OSError, AssertionError) as error:
        cause = (str(error).strip().splitlines() or [""])[-1]
        pytest.exit(
            f"no Docker engine with compose answers ({cause}) → start one, or name it in DOCKER_HOST; it needs Docker's"
            " compose plugin or docker-compose; `make test` does without",
            returncode=69,
        )


@pytest.fixture(scope="session")
def images(pytestconfig: pytest.Config, measured: Report, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The images of this checkout, with a tag of the tests; they stay, so that the next run needs what changed only."""
    fresh = bool(pytestconfig.getoption("--from-nothing"))
    began = time.monotonic()
    all_of_them = ("--profile", "simulator", "--profile", "ops", "build", *(["--no-cache"] if fresh else []))
    builder = Stack(tmp_path_factory.mktemp("build"))
    builder.tag = TAG
    builder.compose(*all_of_them, timeout_s=1_200)
    if fresh:
        measured.figure("images built from nothing but their base", time.monotonic() - began, "s")


@pytest.fixture(scope="session")
def made(
    images: None, pytestconfig: pytest.Config, measured: Report, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """The session's stack, brought up by the first test that asks; `down -v` at the end leaves nothing of it."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    pytestconfig.stash[_STACK] = stack
    with tagged(stack.tag), removed_at_the_end(stack):
        began = time.monotonic()
        with watched(stack.project, stack.history):
            stack.compose("up", "-d")
        measured.figure("`up -d` returns (images built, no volumes)", time.monotonic() - began, "s")
        client = Client(stack.port, token(stack))
        wait_for(lambda: client.answers("/readyz"), "the API is ready")
        client.post({"device_id": "first", "timestamp": int(time.time()) - 60, "data_payload": {"m": 42}})
        wait_for(lambda: client.answers("/stats?device_id=first&bucket=none"), "the first statistics")
        measured.figure("from `up` to the first statistics over HTTP", time.monotonic() - began, "s")
        yield stack
        stack.compose("down", "-v")
        assert stack.left() == {}


@pytest.fixture
def stack(made: Stack) -> Stack:
    """The session's stack, one container a service, all healthy."""
    if not all(_whole(made, service) for service in SERVICES):
        made.compose("up", "-d")
        wait_for(lambda: all(_whole(made, service) for service in SERVICES), "all containers are healthy")
    return made


@pytest.fixture
def client(stack: Stack) -> Client:
    """A client that may do all."""
    return Client(stack.port, token(stack))


def token(stack: Stack) -> str:
    """A token for everything, by the operator's command."""
    return stack.ops("token", "--ttl", "2h", *(word for scope in SCOPES for word in ("--scope", scope))).strip()


def _whole(stack: Stack, service: str) -> bool:
    containers = stack.containers(service)
    return len(containers) == 1 and containers[0].life().well


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Shows what all containers have logged when a test fails."""
    outcome = yield
    result = outcome.get_result()  # type: ignore[attr-defined]
    stack = item.config.stash.get(_STACK, None)
    if result.failed and stack is not None:
        result.sections.append(("containers", stack.said()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    measured = config.stash.get(_REPORT, None)
    if measured is None:
        return
    if path := config.getoption("--compose-json"):
        Path(path).write_text("".join(f"{line}\n" for line in measured.lines()))
    if path := config.getoption("--compose-doc"):
        Path(path).write_text(report.document(measured, datetime.datetime.now(datetime.UTC).date().isoformat()))
    for title, table in measured.tables().items():
        terminalreporter.section(title)
        for line in report.aligned(table):
            terminalreporter.write_line(line)
