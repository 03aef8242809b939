"""The official images as containers for tests, with the embedded stack's settings."""

from pathlib import PurePosixPath
from typing import cast

from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer

from deploy.local import kafka, postgres
from deploy.local.ports import HOST
from tests import engine, servers

KAFKA = "apache/kafka:4.3.1"
POSTGRES = "postgres:18"
FILES = {"kafka": PurePosixPath("/var/lib/kafka/data"), "postgres": PurePosixPath("/var/lib/postgresql")}  # volumes
DATA = {"kafka": FILES["kafka"] / "log", "postgres": FILES["postgres"] / "18" / "docker"}
_CONTROLLER = 19_093  # inside the container, where nobody else is
_WAYS_IN = {"listen_addresses": "*", "unix_socket_directories": "/var/run/postgresql"}


def kafka_container(port: int) -> DockerContainer:
    """A node that listens on this port inside as well: it reaches itself where its clients do."""
    container = DockerContainer(KAFKA, labels={engine.LABEL: "kafka"})
    container.with_envs(**kafka_variables(port), KAFKA_HEAP_OPTS=" ".join(kafka.HEAP))
    return _published(container, port, port)


def kafka_variables(port: int) -> dict[str, str]:
    """The embedded node's properties, as the image takes them."""
    settings = kafka.settings(DATA["kafka"], port, _CONTROLLER, listen="0.0.0.0")
    escaped = str.maketrans({".": "_", "_": "__", "-": "___"})
    return {f"KAFKA_{name.translate(escaped).upper()}": str(value) for name, value in settings.items()}


def postgres_container(port: int, password: str) -> DockerContainer:
    """A cluster of this owner's password."""
    container = PostgresContainer(
        POSTGRES,
        username=postgres.OWNER,
        password=password,
        dbname=postgres.DATABASE,
        driver=None,
        shm_size=postgres.SETTINGS["shared_buffers"].removesuffix("B"),  # parallel queries share their rows there
        labels={engine.LABEL: "postgres"},
    )
    container.with_env("POSTGRES_INITDB_ARGS", " ".join(postgres.INITDB)).with_env("LANG", "C.UTF-8")
    container.with_env("PGDATA", str(DATA["postgres"]))
    settings = {**postgres.SETTINGS, **servers.POSTGRES, **_WAYS_IN}
    container.with_command(["postgres", *(f"--{name}={value}" for name, value in settings.items())])
    return _published(container, container.port, port)


def _published(container: DockerContainer, inside: int, port: int) -> DockerContainer:
    """On this machine's loopback only: with_bind_ports alone would publish it to the network."""
    container.with_bind_ports(inside, port)
    cast("dict[str, object]", container.ports)[str(inside)] = (HOST, port)
    return container
