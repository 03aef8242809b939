"""An API that serves the page, as a process that can be stopped and started, in front of a database with history."""

import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from aggregation_service import latest_store
from deploy.local import ports
from ops.token import sign
from tests.integration.api_service.warehouse import MICROS, Readings, Warehouse
from tests.pipeline import Service, wait_for
from tests.servers import Database

HOUR_S, DAY_S = 3_600, 86_400
SCOPES = ("read:stats", "read:records")
Events = list[tuple[str, int, Readings]]


@dataclass
class Site:
    """The API process and what it serves."""

    warehouse: Warehouse
    port: int
    _environment: Mapping[str, str]
    _stack: Mapping[str, str]
    _service: Service | None = None
    hour: int = 0  # until when the history's statistics are stored (epoch s)

    @property
    def url(self) -> str:
        """Where it is, while it runs."""
        return f"http://{ports.HOST}:{self.port}"

    def start(self) -> None:
        """Returns when it is ready."""
        service = self._service = Service("api_service", self._environment)
        wait_for(lambda: service.status is not None or self._ready(), "an API that is ready")
        assert service.status is None, service.output()

    def stop(self) -> str:
        """Ends it and returns its log."""
        service, self._service = self._service, None
        return service.end() if service else ""

    def token(
        self, scopes: Sequence[str] = SCOPES, devices: Sequence[str] | None = None, lifetime_s: int = HOUR_S
    ) -> str:
        """Of the built-in issuer."""
        return sign(self._stack, "analyst", scopes, devices, lifetime_s)

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped."""
        return self._service is not None

    @property
    def client(self) -> tuple[str, str]:
        """A client of the issuer: its id and its secret."""
        return self._stack["AUTH_CLIENT_ID"], self._stack["AUTH_CLIENT_SECRET"]

    def ask(self, path: str, **headers: str) -> httpx.Response:
        """What the API answers to a program."""
        given = {"Authorization": f"Bearer {self.token()}", **headers}
        return httpx.get(f"{self.url}{path}", headers=given, timeout=20).raise_for_status()

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


@contextmanager
def site(stack: Mapping[str, str], database: Database, **settings: object) -> Iterator[Site]:
    """The API with the modules that the page needs, for the length of the block."""
    claim = ports.claim(random.randrange(30_000, 32_000))  # below the range of outgoing connections
    files = {name: stack[name] for name in ("AUTH_SIGNING_KEY_FILE", "AUTH_CLIENTS_FILE", "AUTH_ISSUER")}
    own = {
        "API_HOST": ports.HOST,
        "API_PORT": str(claim.port),
        "API_MODULES": "auth,query,web",
        "METRICS_PORT": "0",
        **{name: str(value) for name, value in settings.items()},
    }
    with database.connect() as connection:
        made = Site(Warehouse(connection), claim.port, {**database.environment("api"), **files, **own}, stack)
        made.start()
        try:
            yield made
        finally:
            made.stop()
            claim.release()


def wave(device: str, start_s: int, end_s: int, step_s: int, offset: float = 0.0) -> Events:
    """A boiler's day: warm by day, cool by night, with noise that is the same each time."""
    events: Events = []
    for number, second in enumerate(range(start_s, end_s, step_s)):
        day = math.sin(2 * math.pi * second / DAY_S)
        noise = math.sin(number * 12.9898) * math.cos(number * 4.1414)
        readings = {
            "temperature": round(64 + offset + 9 * day + 2.4 * noise, 2),
            "pressure": round(1.9 + 0.03 * offset + 0.2 * day + 0.08 * noise, 3),
        }
        events.append((device, second * MICROS, readings))
    return events


def history(warehouse: Warehouse, now: int, days: int = 2, step_s: int = 300) -> int:
    """Stored statistics of two boilers up to the last full hour, and events up to now (epoch s).

    boiler-1 sent nothing between 10 and 7 hours ago, and what it had measured 5 hours ago came late; pump-1 has been
    silent for 30 hours. Returns the full hour.
    """
    hour = now - now % HOUR_S
    start = hour - days * DAY_S
    gap = range(hour - 10 * HOUR_S, hour - 7 * HOUR_S)
    first = [event for event in wave("boiler-1", start, now, step_s) if event[1] // MICROS not in gap]
    second = wave("boiler-2", start, now, step_s, offset=-9.0)
    pump = wave("pump-1", start, hour - 30 * HOUR_S, step_s, offset=4.0)
    warehouse.add([*first, *second, *pump])
    warehouse.store(hour * MICROS)
    latest_store.keep(warehouse.connection, 0, hour, list(warehouse.devices.values()))
    begin, end = (hour - ago * HOUR_S for ago in (5, 4))
    warehouse.add_late([(device, ts + 7 * MICROS, own) for device, ts, own in first if begin <= ts // MICROS < end])
    return hour


def now() -> int:
    """Seconds of the clock that tests and servers share."""
    return int(time.time())
