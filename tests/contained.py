"""Servers for tests in containers, by testcontainers: each on a port of this machine that stays its own."""

import random
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path, PurePath

import docker
from testcontainers.core.container import DockerContainer

from deploy.local import environment, kafka, ports, postgres, process, schema
from tests import engine, images
from tests.backend import Backend, kafka_version, postgres_version
from tests.node import Node


def backend() -> Backend:
    """Containers on the engine that answers.

    Raises:
        PlumblineError: none answers, or it has no such images and can't pull them.
    """
    with engine.connected() as client:
        engine.need(client, (images.KAFKA, images.POSTGRES))
        ryuk = ", without Ryuk" if engine.without_ryuk(client) else ""
        jars = engine.shown(client, images.KAFKA, "ls /opt/kafka/libs").split()
        server = engine.shown(client, images.POSTGRES, "postgres --version")
        versions = {
            "kafka": f"Kafka {kafka_version(jars)} ({images.KAFKA})",
            "postgres": f"Postgres {postgres_version(server)} ({images.POSTGRES})",
        }
        return Backend(f"containers (Docker {client.version()['Version']}{ryuk})", versions, running)


class Contained:
    """A node a part."""

    def __init__(self, values: Mapping[str, str], nodes: Mapping[str, Node]) -> None:
        self.values = values
        self._nodes = nodes

    def start(self, part: str) -> None:
        self._nodes[part].start()

    def send(self, part: str, number: signal.Signals) -> None:
        self._nodes[part].send(number)

    def up(self, part: str) -> bool:
        return self._nodes[part].up()

    def log(self, part: str) -> str:
        return self._nodes[part].log()

    def kill(self, part: str, pid: int) -> None:
        self._nodes[part].kill(pid)

    def data(self, part: str) -> PurePath:
        return images.DATA[part]

    def shell(self, part: str, script: str, *arguments: object) -> None:
        self._nodes[part].shell(script, *arguments)

    def disk(self, part: str, mib: int) -> AbstractContextManager[PurePath]:
        return self._nodes[part].disk(mib, owner=images.DATA[part])


@contextmanager
def running(home: Path, parts: Sequence[str]) -> Iterator[Contained]:
    """These servers for the block. Whatever happens, their containers and volumes are removed after it."""
    held = ExitStack()
    try:
        yield _started(held, home, parts)
    finally:
        with process.uninterrupted():
            held.close()


def _started(held: ExitStack, home: Path, parts: Sequence[str]) -> Contained:
    client = held.enter_context(engine.connected())
    claims = {part: ports.claim(random.randrange(20_000, 30_000)) for part in parts}
    for claim in claims.values():
        held.callback(claim.release)
    chosen = {part: claim.port for part, claim in claims.items()}
    values = environment.with_secrets(environment.addresses(chosen), home)
    nodes = {}
    for part, port in chosen.items():
        nodes[part] = _node(client, part, port, values)
        held.callback(nodes[part].remove)
        nodes[part].create()
    if "postgres" in parts:
        schema.migrate(values, say=_quiet)
    if "kafka" in parts:
        schema.make_topics(values, say=_quiet)
    return Contained(values, nodes)


def _node(client: docker.DockerClient, part: str, port: int, values: Mapping[str, str]) -> Node:
    def container() -> DockerContainer:
        if part == "kafka":
            return images.kafka_container(port)
        return images.postgres_container(port, values["DB_PASSWORD"])

    def answers() -> bool:
        return kafka.answers(port) if part == "kafka" else postgres.answers(environment.conninfo(values))

    return Node(client, container, images.FILES[part], answers)


def _quiet(_: str) -> None:
    """A test's servers come up in silence."""
