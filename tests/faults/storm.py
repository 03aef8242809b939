"""A storm of faults: a plan that a seed decides, and its execution on processes, database and broker."""

import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.broker import Broker
from tests.faults.scene import Scene
from tests.pipeline import Service
from tests.proxy import Proxy

MEMBERS = 3
_PAUSE_S = 1.5  # between the beginnings of two faults, on average
# What happens: how often beside the others, and for how many seconds at most (0: at once).
_FAULTS = {
    "kill": (4, 0.0),
    "terminate": (3, 0.0),
    "freeze": (3, 6.0),
    "guest": (3, 5.0),
    "database connections ended": (3, 0.0),
    "database frozen": (2, 5.0),
    "database cut off": (2, 4.0),
    "broker frozen": (1, 5.0),
    "broker killed": (1, 0.0),
}
_ENDED_BY_US = {0, -signal.SIGKILL, -signal.SIGTERM}
_UNAVAILABLE = 69  # it started while a server was away, and its supervisor starts it again


@dataclass(frozen=True)
class Step:
    """A fault that begins `at` seconds from the start, lasts, and concerns one of the members, if any."""

    at: float
    fault: str
    lasts: float
    member: int

    def __str__(self) -> str:
        lasts = f" for {self.lasts:.1f} s" if self.lasts else ""
        return f"{self.at:6.1f} s  {self.fault}{lasts} (member {self.member})"


def plan(seed: int, seconds: float) -> list[Step]:
    """The same for the same seed; what lasts ends before the storm does."""
    chance = random.Random(seed)
    names, weights = list(_FAULTS), [weight for weight, _ in _FAULTS.values()]
    steps, at = [], chance.uniform(0, _PAUSE_S)
    while at < seconds:
        [fault] = chance.choices(names, weights)
        longest = _FAULTS[fault][1]
        lasts = min(chance.uniform(longest / 4, longest), seconds - at)
        steps.append(Step(round(at, 1), fault, round(lasts, 1), chance.randrange(MEMBERS)))
        at += chance.expovariate(1 / _PAUSE_S)
    return steps


def _timeline(steps: list[Step]) -> Iterator[tuple[float, Step, bool]]:
    """(time, step, whether it begins) in order."""
    moments = [(step.at, number, True) for number, step in enumerate(steps)]
    moments += [(step.at + step.lasts, number, False) for number, step in enumerate(steps) if step.lasts]
    for moment, number, begins in sorted(moments):
        yield moment, steps[number], begins


class Storm:
    """Members under a supervisor that starts again whoever has ended."""

    def __init__(self, scene: Scene, proxy: Proxy, broker: Broker) -> None:
        self._scene = scene
        self._proxy = proxy
        self._broker = broker
        self._members = [self._start() for _ in range(MEMBERS)]
        self._guests: dict[Step, Service] = {}
        self._cuts = 0
        self._freezes = 0

    def run(self, steps: list[Step]) -> None:
        """All of it, and then everything is well again."""
        started = time.monotonic()
        for moment, step, begins in _timeline(steps):
            while (wait := started + moment - time.monotonic()) > 0:
                time.sleep(min(0.2, wait))
                self._supervise()
            if begins:
                self._scene.strike()
            self._act(step, begins)
        self._supervise()

    def end(self) -> None:
        """Ends all processes; their logs are shown when the test fails."""
        for service in [*self._members, *self._guests.values()]:
            print(service.end()[-10_000:])

    def _start(self) -> Service:
        settings = {"DB_HOST": "127.0.0.1", "DB_PORT": self._proxy.port, "KAFKA_MAX_POLL_INTERVAL_MS": 4_000}
        return self._scene.start(**settings)

    def _supervise(self) -> None:
        for number, service in enumerate(self._members):
            if service.status is not None:
                known = service.status in _ENDED_BY_US | {_UNAVAILABLE}
                self._scene.expect(known, f"a member ended with status {service.status}: {service.end()[-2_000:]}")
                service.end()
                self._members[number] = self._start()

    def _act(self, step: Step, begins: bool) -> None:
        member = self._members[step.member]
        match step.fault:
            case "kill":
                member.send(signal.SIGKILL)
            case "terminate":
                member.send(signal.SIGTERM)
            case "freeze":
                member.send(signal.SIGSTOP if begins else signal.SIGCONT)
            case "guest":
                self._guest(step, begins)
            case "database connections ended":
                self._end_connections()
            case "database frozen":
                self._freeze_database(begins)
            case "database cut off":
                self._cut_off_database(begins)
            case "broker frozen":
                self._broker.send(signal.SIGSTOP if begins else signal.SIGCONT)
            case "broker killed":
                self._broker.send(signal.SIGKILL)
                self._broker.start()

    def _guest(self, step: Step, begins: bool) -> None:
        if begins:
            self._guests[step] = self._start()
        else:
            self._guests.pop(step).end()

    def _end_connections(self) -> None:
        with self._scene.database.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'plumbline-ingestion'"
            )

    def _freeze_database(self, begins: bool) -> None:
        self._freezes += 1 if begins else -1
        if self._freezes:
            self._proxy.freeze()
        else:
            self._proxy.thaw()

    def _cut_off_database(self, begins: bool) -> None:
        self._cuts += 1 if begins else -1
        if begins and self._cuts == 1:
            self._proxy.cut()
        elif not begins and not self._cuts:
            self._proxy.restore()
