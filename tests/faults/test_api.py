"""The API under a load of single events while a server that it needs is away, and while it is killed itself."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import servers
from tests.faults.broker import Broker
from tests.faults.front import MIB, Front, fronted, resident
from tests.faults.postgres import Server
from tests.faults.posts import Posts
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.pipeline import Service
from tests.servers import Database

# What memory may grow by while a server is away; the load is as fast as its client can.
GROWTH = 48 * MIB
REFUSED_WITHIN_S = 15.0
# A broker that was frozen may leave a consumer's JoinGroup unanswered: it is sent again after this and three seconds.
GROUP = {"KAFKA_MAX_POLL_INTERVAL_MS": 5_000}


@pytest.fixture
def broken(kafka: Broker, database: Database, report: Callable[[Verdict], None]) -> Iterator[Scene]:
    """A scene on the session's Postgres and the Kafka that may be stopped."""
    with servers.fresh_topics(kafka.values, 2) as topics:
        yield Scene(topics, database, report)


def flat(scene: Scene, api: Service, before: int) -> None:
    grown = resident(api) - before
    scene.expect(grown < GROWTH, f"the API's memory grew by {grown / MIB:.0f} MiB")


def goes_on(scene: Scene, least: int, what: str) -> None:
    """Waits until so many more events are accepted."""
    goal = scene.accepted() + least
    scene.awaits(lambda: scene.accepted() >= goal, what, 30)


def postgres_away(scene: Scene, front: Front, server: Server, seconds: float) -> Verdict:
    with scene.service(), front.process() as api, front.posts() as posts:
        scene.flows()
        front.reads(200, 5)
        before = resident(api)
        scene.strike()
        server.stop(signal.SIGINT)
        stopped = time.monotonic()
        front.reads(503, 2.5)  # 1.2, on a busy machine
        front.complains("database")
        goes_on(scene, 1_000, "events are accepted without Postgres")
        time.sleep(max(0.0, seconds - (time.monotonic() - stopped)))
        scene.expect(set(posts.statuses) == {202}, f"posts were answered with {dict(posts.statuses)}")
        flat(scene, api, before)
        server.start()
        scene.healed()
        scene.awaits(lambda: front.lacks() == [], "the API is ready again", 15)
        front.reads(200, 5)
        scene.recovered()
        return scene.verdict(f"API: Postgres gone for {seconds:.0f} s")


def test_postgres_is_away(own: Scene, server: Server, tmp_path: Path, long: bool) -> None:
    with fronted(own, tmp_path) as front:
        postgres_away(own, front, server, 60 if long else 3).survived()


@contextmanager
def struck(kafka: Broker, number: signal.Signals) -> Iterator[None]:
    """The broker is frozen for the block, or gone."""
    kafka.send(number)
    try:
        yield
    finally:
        if number is signal.SIGKILL:
            kafka.start()
        else:
            kafka.send(signal.SIGCONT)


def kafka_away(scene: Scene, front: Front, kafka: Broker, number: signal.Signals, seconds: float) -> Verdict:
    with scene.service(**GROUP), front.process() as api, front.posts() as posts:
        scene.flows()
        before = resident(api)
        scene.strike()
        with struck(kafka, number):
            began = time.monotonic()
            front.complains("kafka")
            scene.awaits(lambda: posts.statuses[503] > 2_000, "a flood of events is refused", 30)
            front.reads(200, 5)
            time.sleep(max(0.0, seconds - (time.monotonic() - began)))
            flat(scene, api, before)
        scene.healed()
        scene.awaits(lambda: front.lacks() == [], "the API is ready again", 30)
        goes_on(scene, 1_000, "events are accepted again")
        refused(scene, posts)
        scene.recovered()
        return scene.verdict(f"API: broker {number.name}")


def refused(scene: Scene, posts: Posts) -> None:
    scene.expect(set(posts.statuses) == {202, 503}, f"posts were answered with {dict(posts.statuses)}")
    scene.expect(posts.slowest_s < REFUSED_WITHIN_S, f"one waited for {posts.slowest_s:.1f} s")
    scene.expect(posts.without_retry_after == 0, f"{posts.without_retry_after} have no Retry-After")


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_kafka_is_away(broken: Scene, kafka: Broker, tmp_path: Path, number: signal.Signals, long: bool) -> None:
    with fronted(broken, tmp_path, GATEWAY_TIMEOUT_SECONDS=10 if long else 3) as front:
        kafka_away(broken, front, kafka, number, 60 if long else 0).survived()


def killed(scene: Scene, front: Front, kafka: Broker, times: int, without: str = "") -> Verdict:
    """kill -9 while the broker stands still: all that the API has then is under way. `without`: its protection."""
    with scene.service(**GROUP), front.posts():
        scene.without = without
        for _ in range(times):
            with front.process() as api:
                goes_on(scene, 500, "events are accepted")
                with struck(kafka, signal.SIGSTOP):
                    time.sleep(0.3)  # for more to come in
                    scene.strike()
                    api.send(signal.SIGKILL)
                    api.wait()
        scene.healed()
        with front.process():
            goes_on(scene, 500, "events are accepted again")
            scene.recovered()
            return scene.verdict("API: kill -9 under load")


def test_a_killed_api_has_promised_nothing_that_is_lost(
    broken: Scene, kafka: Broker, tmp_path: Path, long: bool
) -> None:
    with fronted(broken, tmp_path) as front:
        killed(broken, front, kafka, 5 if long else 2).survived()


def test_control_events_are_accepted_before_kafka_has_them(broken: Scene, kafka: Broker, tmp_path: Path) -> None:
    with fronted(broken, tmp_path) as front:
        assert killed(broken, front, kafka, 1, without="confirmation").lost > 0
