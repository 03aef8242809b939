"""The services under measurement: real processes with their ordinary settings, under their own roles."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from deploy.local import ports
from ops.token import sign
from shared.errors import PlumblineError
from tests.servers import Database

Process = subprocess.Popen[bytes]

_POLL_S = 0.02
_STOP_S = 30.0
_START_S = 30.0
_TOKEN_S = 86_400


@contextmanager
def running(module: str, environment: Mapping[str, object], count: int = 1) -> Iterator[list[Process]]:
    """So many processes of a service for the length of the block; `environment` is added to ours.

    Raises:
        PlumblineError: one of them ended before the block did.
    """
    own = {**os.environ, "LOG_LEVEL": "warning", **{name: str(value) for name, value in environment.items()}}
    processes = [subprocess.Popen([sys.executable, "-m", module], env=own, stdout=sys.stderr) for _ in range(count)]
    try:
        yield processes
        if any(process.poll() is not None for process in processes):
            raise PlumblineError(f"a process of {module} ended by itself → see its log above")
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def aggregator(database: Database, **settings: object) -> Iterator[Process]:
    """The aggregation service, run after run."""
    with running("aggregation_service", {**database.environment("aggregation"), **settings}) as [process]:
        yield process


@dataclass(frozen=True)
class Once:
    """What a process used from its start to its end; bytes are the peak of its resident memory."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def aggregate(database: Database, **settings: object) -> Once:
    """Runs the aggregation service until nothing is left to be done.

    Raises:
        PlumblineError: it failed.
    """
    environment = {**os.environ, "LOG_LEVEL": "warning", **database.environment("aggregation")}
    environment |= {name: str(value) for name, value in settings.items()}
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "aggregation_service", "--once"], env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for
    if process.returncode:
        raise PlumblineError(f"the aggregator ended with {process.returncode} → see its log above")
    return Once(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


@dataclass(frozen=True)
class Api:
    """One API process and a token for it."""

    pid: int
    port: int
    token: str

    def get(self, target: str, **headers: str) -> bytes:
        """A request of a connection that stays open."""
        return self.head(f"GET {target}", **headers)

    def head(self, line: str, **headers: str) -> bytes:
        """A request's head; in names of headers `_` stands for `-`."""
        lines = {"Host": ports.HOST, "Authorization": f"Bearer {self.token}", **headers}
        text = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
        return f"{line} HTTP/1.1\r\n{text}\r\n".encode()


@contextmanager
def api(database: Database, **settings: object) -> Iterator[Api]:
    """The API, one worker, once it is ready."""
    with web("api_service", ["read:stats", "read:records"], **database.environment("api"), **settings) as served:
        yield served


@contextmanager
def web(module: str, scopes: list[str], **settings: object) -> Iterator[Api]:
    """One process that serves HTTP on API_PORT, once it is ready, and a token with these scopes."""
    claim = ports.claim(ports.DEFAULTS["api"])
    own = {"API_HOST": ports.HOST, "API_PORT": claim.port, "METRICS_PORT": 0, **settings}
    try:
        with running(module, own) as [process]:
            wait_for(lambda: _ready(process, claim.port), "an API that is ready", _START_S)
            yield Api(process.pid, claim.port, sign(os.environ, "benchmark", scopes, None, _TOKEN_S))
    finally:
        claim.release()


def _ready(process: Process, port: int) -> bool:
    if process.poll() is not None:
        raise PlumblineError(f"the API ended with {process.returncode} → see its log above")
    connection = http.client.HTTPConnection(ports.HOST, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float) -> None:
    """Returns when the condition holds.

    Raises:
        PlumblineError: it doesn't in time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise PlumblineError(f"{what}: not within {timeout_s:.0f} s → see the log above")
        time.sleep(_POLL_S)
