"""What a run says of its servers, and of an engine or images that aren't there."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import APIError, ImageNotFound

from deploy.local import kafka
from shared.errors import PlumblineError
from tests import engine, images
from tests.backend import Backend, Stack, kafka_version, postgres_version


def test_without_an_engine_the_run_ends_with_one_line_that_says_so() -> None:
    command = [sys.executable, "-m", "pytest", "--servers=containers", "--collect-only", "tests/unit/test_backends.py"]
    environment = {**os.environ, "DOCKER_HOST": "unix:///nowhere.sock"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (69, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Exit: no Docker engine answers at unix:///nowhere.sock (No such file or directory) → ")


def test_images_that_cant_be_had_are_named_together() -> None:
    def get(name: str) -> None:
        if name != "here:1":
            raise ImageNotFound(name)

    def pull(_: str) -> None:
        raise APIError("500", explanation="no such host")

    client = cast("Any", SimpleNamespace(images=SimpleNamespace(get=get, pull=pull)))
    with pytest.raises(PlumblineError, match=r"no image apache/kafka:1, postgres:1, and .* \(no such host\) → "):
        engine.need(client, ("apache/kafka:1", "here:1", "postgres:1"))


def test_the_containers_broker_has_the_embedded_ones_properties() -> None:
    """But for where it listens and keeps its log; names are read back as the image's documentation says."""
    found = {}
    for name, value in images.kafka_variables(20_000).items():
        key = name.removeprefix("KAFKA_").replace("___", "-").replace("__", "~").replace("_", ".").replace("~", "_")
        found[key.lower()] = value
    ours = kafka.settings(images.DATA["kafka"], 20_000, images._CONTROLLER)
    assert found.pop("listeners") == "PLAINTEXT://0.0.0.0:20000,CONTROLLER://127.0.0.1:19093"
    assert found == {name: str(value) for name, value in ours.items() if name != "listeners"}


def test_versions_are_read_from_what_runs() -> None:
    assert (
        kafka_version(["kafka-clients-4.3.1.jar", "kafka-server-4.3.1.jar", "kafka-server-common-4.3.1.jar"]) == "4.3.1"
    )
    assert postgres_version("postgres (PostgreSQL) 18.1 (Debian 18.1-1.pgdg12+2)\n") == "18.1"


def test_a_back_end_counts_what_ran() -> None:
    @contextmanager
    def run(home: Path, parts: Sequence[str]) -> Iterator[Stack]:
        yield cast("Stack", None)

    backend = Backend("somewhere", {"kafka": "Kafka 4", "postgres": "Postgres 18"}, run)
    assert str(backend) == "somewhere: Kafka 4, Postgres 18"
    with backend.stack(Path(), ("kafka", "postgres")), backend.stack(Path(), ("kafka",)):
        pass
    assert dict(backend.started) == {"kafka": 2, "postgres": 1}
