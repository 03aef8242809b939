"""A whole stack of its own with Prometheus and Alertmanager, a load on it, and hands that break it."""

import json
import random
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import psutil

from deploy.local import monitoring, ports, postgres, process
from deploy.local import stack as embedded
from ops.token import sign
from tests import servers

_PARTS = embedded.PARTS
_SCOPES = ("read:stats", "write:readings")
_TIMEOUT_S = 12.0  # longer than the gateway waits for Kafka


class Stage:
    """The stack in `home`."""

    def __init__(self, home: Path, options: embedded.Options) -> None:
        self.home = home
        self._options = options
        self.values: Mapping[str, str] = {}
        self.jobs: list[subprocess.Popen[bytes]] = []  # that a fault runs

    def start(self, *parts: str) -> None:
        """Starts these parts, or all of them, as `plumbline up` does."""
        self.values = embedded.up(self.home, parts or _PARTS, self._options, say=lambda _: None).values

    def signal(self, part: str, number: signal.Signals) -> None:
        """Sends it to all processes of the part."""
        for each in self._processes(part):
            with suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def stop(self, part: str) -> None:
        """As its operator would: Postgres ends its sessions and then itself."""
        assert process.stop(process.find(self.home)[part], signal.SIGINT)

    def _processes(self, part: str) -> list[psutil.Process]:
        found = process.find(self.home)[part]
        backends = postgres.backends(postgres.data_folder(self.home)) if part == "postgres" else []
        return [*found, *backends]


@contextmanager
def stage(home: Path) -> Iterator[Stage]:
    """A stack that runs for the block only, with a simulator that sends 300 events a second to Kafka.

    Raises:
        AssertionError: Prometheus or Alertmanager isn't installed.
    """
    missing = monitoring.missing()
    assert not missing, f"{', '.join(missing)} isn't installed → {monitoring.command(*missing)}"
    first = random.randrange(20_000, 30_000)
    options = embedded.Options(
        wished={name: first + number for number, name in enumerate(ports.DEFAULTS)},
        postgres=servers.POSTGRES,
        simulator=("--devices", "100", "--rate", "300"),
    )
    made = Stage(home, options)
    try:
        made.start()
        yield made
    finally:
        for job in made.jobs:
            job.kill()
            job.wait()
        for part in process.find(home):
            made.signal(part, signal.SIGCONT)  # one that is frozen can't be stopped
        embedded.reset(home, say=lambda _: None)


class Clients:
    """Analysts who ask and devices that send over HTTP, some times a second, whatever the answers are."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._url = values["API_URL"]
        self._token = sign(values, "alert-faults", _SCOPES, None, 7_200)
        self._ending = threading.Event()
        self._threads = [
            *(threading.Thread(target=self._repeat, args=(self._ask, 0.5), daemon=True) for _ in range(10)),
            *(threading.Thread(target=self._repeat, args=(self._send, 0.5), daemon=True) for _ in range(6)),
        ]

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for each in self._threads:
            each.join()

    def _repeat(self, do: Callable[[], None], every_s: float) -> None:
        while not self._ending.wait(every_s):
            with suppress(OSError):  # an error is an answer too: the API counts it
                do()

    def _ask(self) -> None:
        self._request("/stats?device_id=door-1&from=-5m&bucket=1m", None)

    def _send(self) -> None:
        event = {"device_id": "door-1", "timestamp": datetime.now(UTC).isoformat(), "data_payload": {"opened": 1}}
        self._request("/ingest", json.dumps(event).encode())

    def _request(self, path: str, body: bytes | None) -> None:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}{path}", body, headers)  # noqa: S310  our own URL
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            answer.read()
