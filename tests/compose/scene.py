"""One fault under load: a simulator and a probe send, something is broken, and everything is counted.

with under_load(stack, "kill-kafka", "http") as scene:
    scene.strike(container)                       # about to break it
    container.kill(…)
    scene.struck()
    scene.healthy(); scene.flows()                # when it was well again, and when data came through
scene.blow("SIGKILL")                             # the verdict, into the report
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.compose import account
from tests.compose.client import Client
from tests.compose.conftest import token
from tests.compose.containers import Container, Life
from tests.compose.probe import Probe
from tests.compose.report import Blow
from tests.compose.simulator import Simulator, simulator
from tests.compose.stack import Stack
from tests.pipeline import wait_for

FLOWS_S = 90.0
# An event a second of each device; some late, so that there are closed buckets to be made again all the time.
_FLEET = ("--devices", "300", "--interval", "1s", "--late", "0.02", "--late-by", "3m", "--duplicate", "0.01")


class Scene:
    """Of one fault. Times are monotonic seconds."""

    def __init__(self, stack: Stack, prefix: str, sender: Simulator, token: str) -> None:
        self.stack, self.prefix, self.sender = stack, prefix, sender
        self.client = Client(stack.port, token)
        self.probe = Probe(self.client, prefix)
        self._struck_at = 0.0
        self._since = 0  # the probe's first number after the blow
        self._late = 0
        self._lives: dict[Container, Life] = {}
        self.healthy_s = self.flows_s = 0.0

    def strike(self, *containers: Container) -> None:
        """A fault of these is injected now."""
        self._lives = {container: container.life() for container in containers}
        self._struck_at = time.monotonic()

    def struck(self) -> None:
        """It is done: what the probe posts from now on has to come through."""
        self._since = self.probe.next + 1

    def ended(self) -> None:
        """It took its time, and is over: seconds are counted from now on."""
        self._struck_at = time.monotonic()
        self.struck()

    def healthy(self, *, anew: bool = True) -> None:
        """Waits until all that was struck is healthy, as another process if it has to be `anew`."""
        for container, before in self._lives.items():
            if anew:
                container.well_again(before)
            else:
                wait_for(lambda: container.life().well, f"{container.name} is healthy", FLOWS_S)  # noqa: B023
        self.healthy_s = time.monotonic() - self._struck_at

    def flows(self) -> None:
        """Waits until an event that the API took after the blow is stored."""
        wait_for(lambda: self._newest() >= self._since, "what is accepted after the blow is stored", FLOWS_S)
        self.flows_s = time.monotonic() - self._struck_at

    def aggregates(self) -> None:
        """Waits until an event that comes late, after the blow, is in its closed bucket's statistics."""
        hour = int(time.time()) // 3600 * 3600 - 7_200
        device, minute = f"{self.prefix}late", hour + 60 * self._late
        self._late += 1
        client = self.client
        client.post({"device_id": device, "timestamp": minute, "data_payload": {"late": 1}})
        asked = f"/stats?device_id={device}&metric=late&bucket=1m&from={minute}&to={minute + 60}"
        wait_for(lambda: client.answers(asked), "the late event is known", FLOWS_S)

        def final() -> bool:
            rows = client.stats(device_id=device, metric="late", bucket="1m", **{"from": minute, "to": minute + 60})
            return [(row["count"], row["final"]) for row in rows] == [(1, True)]

        wait_for(final, "the late event is in its bucket's statistics", FLOWS_S)
        self.flows_s = time.monotonic() - self._struck_at

    def blow(self, what: str, how: str) -> Blow:
        """The verdict, once all of the load has ended."""
        found = account.judge(self.stack, self.client, self.prefix, self.sender.stop(), self.probe)
        way = "HTTP" if self.over_http else "Kafka"
        return Blow(
            what,
            how,
            way,
            found.accepted,
            found.lost,
            found.doubled,
            round(self.healthy_s, 1),
            round(self.flows_s, 1),
            dict(self.probe.answers),
            round(self.probe.slowest_s, 1),
            tuple(found.problems),
        )

    @property
    def over_http(self) -> bool:
        """How the simulator sends."""
        return self.prefix.startswith("http")

    def _newest(self) -> int:
        """The highest number of the probe's that is stored; -1 while Postgres doesn't say."""
        question = (
            "SELECT max(value) FROM readings WHERE metric = 'm'"  # noqa: S608
            f" AND starts_with(device_id, '{self.prefix}probe-')"
        )
        try:
            [[value]] = self.stack.sql(question)
        except AssertionError:
            return -1
        return int(float(value or -1))


@contextmanager
def under_load(stack: Stack, name: str, way: str) -> Iterator[Scene]:
    """A scene whose load runs for the block, once it flows; `way`: http or kafka, how the simulator sends."""
    prefix = f"{way}-{name}-{int(time.time())}-"
    granted = token(stack)
    with simulator(stack, f"{prefix}dev-", *_FLEET, token=granted if way == "http" else "") as sender:
        scene = Scene(stack, prefix, sender, granted)
        wait_for(lambda: account.stored(stack, f"{prefix}dev-") > 300, "the simulator's events are stored")
        scene.probe.start()
        try:
            wait_for(lambda: len(scene.probe.taken) > 10, "the probe's events are taken")
            yield scene
        finally:
            scene.probe.stop()
            sender.stop()
