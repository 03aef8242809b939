"""What breaks, how it is mended, and the alert that should say so."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from confluent_kafka import TopicPartition

from deploy.local import services
from deploy.local.environment import ROLES, conninfo
from ops import broker
from shared import kafka
from tests.alerting.stage import Stage

_PARTITION = 3
_API = ROLES["api"]


@dataclass(frozen=True, slots=True)
class Fault:
    """`strike` breaks a stage that works, `mend` does what the runbook says; `alert` fires, of `service` if given."""

    name: str
    what: str
    alert: str
    strike: Callable[[Stage], None]
    mend: Callable[[Stage], None]
    service: str = ""


def _killed(part: str) -> Fault:
    return Fault(
        f"{part} killed",
        "kill -9",
        "PlumblineServiceDown",
        lambda stage: stage.signal(part, signal.SIGKILL),
        lambda stage: stage.start(part),
        part,
    )


def _frozen(part: str, alert: str, service: str) -> Fault:
    return Fault(
        f"{part} frozen",
        "SIGSTOP of all its processes",
        alert,
        lambda stage: stage.signal(part, signal.SIGSTOP),
        lambda stage: stage.signal(part, signal.SIGCONT),
        service,
    )


def _poison(stage: Stage) -> None:
    sick = ("--devices", "50", "--rate", "200", "--malformed", "0.5", "--prefix", "sick-", "--quiet")
    stage.jobs.append(services.start_job(stage.home, "poison", stage.values, sick))


def _end_poison(stage: Stage) -> None:
    job = stage.jobs.pop()
    job.terminate()
    job.wait()


def _delete_unread(stage: Stage) -> None:
    """Kafka deletes what ingestion, which is frozen for a moment, hasn't read: retention that is too short."""
    with broker.connect(stage.values) as connected:
        topic = connected.topic
        stage.signal("ingestion", signal.SIGSTOP)
        try:
            time.sleep(2.0)  # some hundred records come meanwhile
            at = next(each for each in connected.partitions() if each[1] == _PARTITION)
            high = connected.watermarks([at])[at][1]
            admin = kafka.admin(broker.settings(stage.values))
            for deleted in admin.delete_records([TopicPartition(topic, _PARTITION, high)]).values():
                deleted.result()
        finally:
            stage.signal("ingestion", signal.SIGCONT)


def _skip(stage: Stage) -> None:
    command = ["offsets", "skip", "--partition", str(_PARTITION), "--to", "earliest", "--yes", "--reason"]
    subprocess.run(
        [sys.executable, "-c", "from ops.cli import main; main()", *command, "retention was too short"],
        env={**os.environ, "PLUMBLINE_HOME": str(stage.home)},
        check=True,
        capture_output=True,
    )


def _api_login(stage: Stage, *, may: bool) -> None:
    with psycopg.connect(conninfo(stage.values), autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {_API} {'LOGIN' if may else 'NOLOGIN'}")
        if not may:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [_API])


FAULTS = (
    _killed("ingestion"),
    _killed("aggregation"),
    _frozen("ingestion", "PlumblineServiceDown", "ingestion"),
    Fault(
        "poison",
        "half of what a fleet of 50 sends to Kafka is malformed",
        "PlumblineDeadLetterFlood",
        _poison,
        _end_poison,
    ),
    Fault(
        "partition stopped",
        "Kafka deletes records of partition 3 before they were read",
        "PlumblinePartitionStopped",
        _delete_unread,
        _skip,
    ),
    Fault(
        "API errors",
        "its database role may not log in any more",
        "PlumblineApiErrors",
        lambda stage: _api_login(stage, may=False),
        lambda stage: _api_login(stage, may=True),
    ),
    _frozen("kafka", "PlumblineKafkaAway", "ingestion"),
    _frozen("postgres", "PlumblineDatabaseAway", "ingestion"),
    Fault(
        "postgres stopped",
        "a fast shutdown",
        "PlumblineDatabaseAway",
        lambda stage: stage.stop("postgres"),
        lambda stage: stage.start("postgres"),
        "ingestion",
    ),
)
