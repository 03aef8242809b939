"""The embedded broker: one KRaft node, broker and controller in one process."""

import os
import socket
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path, PurePath

import psutil
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.local import java, process
from deploy.local.ports import HOST, Claim
from shared.errors import PlumblineError

READY_S = 90.0
HEAP = ("-Xms256m", "-Xmx512m", "-XX:-UsePerfData", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
SHORT_LIVED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData")


def settings(data: PurePath, port: int, controller: int, listen: str = HOST) -> dict[str, object]:
    """The node's properties. `listen`: where it waits for clients; in a container that isn't the host's loopback."""
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "listeners": f"PLAINTEXT://{listen}:{port},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        # After a kill -9 the node waits for its former self's session to end; by default nine seconds.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,  # a test of a consumer that dies needn't wait 6 s for its partitions
        "message.max.bytes": 2_000_000,
    }


def properties(data: Path, port: int, controller: int) -> str:
    """server.properties of the embedded node."""
    return "".join(f"{name}={value}\n" for name, value in settings(data, port, controller).items())


def start(home: Path, port: Claim, controller: Claim) -> psutil.Process:
    """Format the storage at the first start, then start the node. `wait` says when it answers."""
    runtime, classpath = java.runtime(), f"{java.jars()}/*"
    data, config = home / "kafka", home / "kafka.properties"
    config.write_text(properties(data, port.port, controller.port))
    if not (data / "meta.properties").exists():
        _format([str(runtime), *SHORT_LIVED, "-cp", classpath], config)
    return process.spawn(
        home,
        "kafka",
        [str(runtime), *HEAP, "-cp", classpath, "kafka.Kafka", str(config)],
        os.environ,
        keep_open=(port.lock, controller.lock),
    )


def _format(command: list[str], config: Path) -> None:
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # One argument: an id may begin with a hyphen, and one in 64 does.
    tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", f"--cluster-id={cluster}", "-c", str(config)]
    done = subprocess.run([*command, *tool], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PlumblineError(f"Kafka could not format its storage:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")


def wait(home: Path, node: psutil.Process, port: int) -> None:
    """Until the broker answers with its own metadata and so can serve."""
    process.wait_ready(home, "kafka", node, lambda: answers(port), READY_S)


def answers(port: int, host: str = HOST) -> bool:
    if not listens(port, host):
        return False
    client = AdminClient({"bootstrap.servers": f"{host}:{port}", "log_level": 0, "socket.timeout.ms": 2000})
    try:
        return bool(client.list_topics(timeout=2).brokers)
    except KafkaException:
        return False


def listens(port: int, host: str = HOST) -> bool:
    """A cheap look before a client is made, which would take a second to give up."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        try:
            return probe.connect_ex((host, port)) == 0
        except socket.gaierror:
            return False
