"""A stack of docker-compose.yml, with a project name, ports and volumes of its own."""

import json
import random
import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.compose import cli
from tests.compose.containers import Container

ROOT = Path(__file__).parents[2]
# What images are built as. A session's stack has a tag of its own for them: another session may build anew meanwhile.
TAG = "test"
IMAGES = tuple(f"plumbline-{name}" for name in ("ingestion", "aggregation", "api", "simulator", "ops", "front"))
SERVICES = ("kafka", "postgres", "ingestion", "aggregation", "api", "front")


class Stack:
    """What anybody can do with it: compose's commands, the operator's, and SQL in Postgres' own container."""

    def __init__(self, folder: Path) -> None:
        self.project = f"plumbline-test-{uuid.uuid4().hex[:8]}"
        self.tag = self.project
        self._settings = folder / "settings.env"  # in place of the checkout's .env
        self.history = folder / "history.jsonl"  # of its first start
        self.port = _free_port()  # of the API
        self._settings.write_text(f"FRONT_PORT={self.port}\nPUBLISH_ADDRESS=127.0.0.1\n")

    def command(self, *arguments: str) -> list[str]:
        """A command line of compose for this stack."""
        stack = ["-p", self.project, "-f", str(ROOT / "docker-compose.yml"), "--env-file", str(self._settings)]
        return [*cli.compose(), *stack, *arguments]

    @property
    def own(self) -> dict[str, str]:
        """What its command lines need in their environment."""
        return {"PLUMBLINE_TAG": self.tag}

    @property
    def ops_image(self) -> str:
        """It has a shell, and is there in any case."""
        return f"plumbline-ops:{self.tag}"

    def compose(self, *arguments: str, timeout_s: float = 300) -> str:
        """What compose prints."""
        return cli.printed(self.command(*arguments), self.own, timeout_s)

    def ops(self, *arguments: str) -> str:
        """What an operator's command prints; fails the test when its exit status isn't 0."""
        return self.compose("run", "--rm", "-T", "ops", *arguments)

    def document(self, *arguments: str) -> dict[str, Any]:
        """What an operator's command says with --json."""
        said: dict[str, Any] = json.loads(self.ops(*arguments, "--json"))
        return said

    def containers(self, service: str) -> list[Container]:
        """Those of a service, in the order of their numbers, whether they run or not."""
        label = "label=com.docker.compose"
        shown = cli.docker(
            "ps", "--all",
            "--filter", f"{label}.project={self.project}", "--filter", f"{label}.service={service}",
            "--filter", f"{label}.oneoff=False",
            "--format", '{{.Label "com.docker.compose.container-number"}} {{.Names}}',
        )  # fmt: skip
        numbered = sorted((int(number), name) for number, name in map(str.split, shown.splitlines()))
        return [Container(name) for _, name in numbered]

    def one(self, service: str) -> Container:
        """The only container of a service."""
        [container] = self.containers(service)
        return container

    def sql(self, statement: str) -> list[list[str]]:
        """Rows of text, as the database's owner."""
        psql = 'PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE") exec psql -h 127.0.0.1 -U plumbline -XAtc "$0"'
        shown = cli.docker("exec", self.one("postgres").name, "sh", "-c", psql, statement)
        return [line.split("|") for line in shown.splitlines()]

    def number(self, statement: str) -> int:
        """The only number that a statement returns; 0 for null."""
        [[value]] = self.sql(statement)
        return int(value or 0)

    def said(self) -> str:
        """How the containers are, and what they have logged lately."""
        asked = (["ps", "--all"], ["logs", "--no-color", "--tail", "60"])
        return "\n".join(cli.run(self.command(*words), self.own).stdout for words in asked)

    def left(self) -> dict[str, list[str]]:
        """Names of what the engine has of this stack, by kind."""
        mine = ["--filter", f"label=com.docker.compose.project={self.project}", "--format"]
        listed = {
            "container": cli.docker("ps", "--all", *mine, "{{.Names}}"),
            "volume": cli.docker("volume", "ls", *mine, "{{.Name}}"),
            "network": cli.docker("network", "ls", *mine, "{{.Name}}"),
        }
        return {kind: names.split() for kind, names in listed.items() if names.split()}

    def remove(self) -> None:
        """Everything of it, by name; compose leaves alone what was started with `run`."""
        left = self.left()
        for kind, force in (("container", ["--force", "--volumes"]), ("volume", []), ("network", [])):
            if kind in left:
                cli.docker(kind, "rm", *force, *left[kind])


@contextmanager
def tagged(tag: str) -> Iterator[str]:
    """The images that were built have this tag as well for the block; at its end no more than the tag goes."""
    for name in IMAGES:
        cli.docker("tag", f"{name}:{TAG}", f"{name}:{tag}")
    try:
        yield tag
    finally:
        cli.docker("rmi", *(f"{name}:{tag}" for name in IMAGES))


@contextmanager
def removed_at_the_end(stack: Stack) -> Iterator[Stack]:
    """Nothing of it is left, however the block ends; when it fails, its containers have their say before."""
    try:
        yield stack
    except BaseException:
        sys.stdout.write(stack.said())
        raise
    finally:
        stack.remove()


def _free_port() -> int:
    """A port that nobody listens on, below those that outgoing connections take."""
    return next(port for port in iter(lambda: random.randrange(30_000, 32_000), 0) if _free(port))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
