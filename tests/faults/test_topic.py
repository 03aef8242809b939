"""Records that ingestion was to read aren't there any more: the partition stands still until an operator decides."""

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from shared import kafka
from tests.faults import readiness
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.operator import Operator
from tests.pipeline import high_watermarks, wait_for
from tests.servers import Database, Topics

FOREVER = 1 << 62
WHEN = pytest.mark.parametrize(
    "while_down",
    [pytest.param(True, id="while down", marks=pytest.mark.long), pytest.param(False, id="while running")],
)
OTHER = 10_000_000  # where the numbers of a second load begin
OVERTAKEN = 0  # the partition whose records go; the other one stays well


@pytest.fixture
def operator(tmp_path: Path, database: Database, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> Operator:
    return Operator(tmp_path, database, topics, monkeypatch)


def recreated(scene: Scene, operator: Operator, *, while_down: bool) -> Verdict:
    port = readiness.free_port()
    with ExitStack() as processes:
        service = processes.enter_context(scene.service(METRICS_PORT=port))
        with scene.load() as old:
            scene.flows()
        if while_down:
            service.end()
        scene.strike()
        make_again(scene.topics)
        with scene.load(first=OTHER):
            # So much that going on from the old offsets would be possible, and would skip what comes before them.
            wait_for(scene.outgrown, "the new topic is longer than the old one was when it went")
            if while_down:
                processes.enter_context(scene.service(METRICS_PORT=port))
            if scene.stands_still(port, {0, 1}, "topic_recreated"):
                read = scene.positions()
                old.accepted.gone = {partition: range(offset, FOREVER) for partition, offset in read.items()}
                operator.json("offsets", "restart", "--all", "--reason", "made again", "--yes")
            scene.healed()
            scene.recovered()
            return scene.verdict(f"topic made again while {'down' if while_down else 'running'}")


def make_again(topics: Topics) -> None:
    name, admin = topics.settings.topic_readings, kafka.admin(topics.settings)
    partitions = len(admin.list_topics(name, timeout=10).topics[name].partitions)
    admin.delete_topics([name], operation_timeout=10)[name].result()
    wait_for(lambda: name not in admin.list_topics(timeout=10).topics, "topic deleted")
    admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)])[name].result()
    wait_for(lambda: name in admin.list_topics(timeout=10).topics, "topic made again")


def overtaken(scene: Scene, operator: Operator, *, while_down: bool) -> Verdict:
    """Retention deletes more than was read, of one partition."""
    port = readiness.free_port()
    patient = {"METRICS_PORT": port, "KAFKA_SESSION_TIMEOUT_MS": 20_000}
    with ExitStack() as processes, scene.load() as load:
        service = processes.enter_context(scene.service(**patient))
        scene.flows()
        # What the client has fetched already, no retention takes from it.
        wait_for(lambda: scene.accepted() - scene.committed() < 500, "it keeps up with the load")
        service.send(signal.SIGTERM if while_down else signal.SIGSTOP)
        wait_for(lambda: service.frozen or service.status is not None, "nothing is read")
        scene.strike()
        read = scene.positions()[OVERTAKEN]
        wait_for(lambda: high_watermarks(scene.topics)[OVERTAKEN] > read + 2_000, "much is waiting")
        low = read + 1_900
        delete_records(scene.topics, OVERTAKEN, low)
        if while_down:
            processes.enter_context(scene.service(**patient))
        else:
            service.send(signal.SIGCONT)
        if scene.stands_still(port, {OVERTAKEN}, "retention_overtook"):
            load.accepted.gone = {OVERTAKEN: range(scene.positions()[OVERTAKEN], low)}
            operator.json("offsets", "skip", "--to", "earliest", "--all", "--reason", "retention", "--yes")
        scene.healed()
        scene.recovered()
        return scene.verdict(f"records deleted before they were read, while {'down' if while_down else 'running'}")


def delete_records(topics: Topics, partition: int, before: int) -> None:
    at = TopicPartition(topics.settings.topic_readings, partition, before)
    admin = kafka.admin(topics.settings)
    [done] = admin.delete_records([at]).values()
    done.result()


@WHEN
def test_the_topic_is_made_again(scene: Scene, operator: Operator, while_down: bool) -> None:
    recreated(scene, operator, while_down=while_down).survived()


@pytest.mark.long
def test_control_nobody_looks_which_topic_it_is(scene: Scene, operator: Operator) -> None:
    scene.without = "topic_identity"
    assert recreated(scene, operator, while_down=True).lost > 0


@WHEN
def test_records_are_deleted_before_they_were_read(scene: Scene, operator: Operator, while_down: bool) -> None:
    overtaken(scene, operator, while_down=while_down).survived()


@pytest.mark.long
@WHEN
def test_control_out_of_range_means_go_on_elsewhere(scene: Scene, operator: Operator, while_down: bool) -> None:
    scene.without = "offsets_in_range"
    assert overtaken(scene, operator, while_down=while_down).lost > 0
