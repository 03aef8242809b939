"""`docker` and `docker compose` as a shell has them, whatever their versions."""

import functools
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

# What Docker's clients themselves read. Nothing else of the caller's shell may change what is tested.
_KEPT = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")
_KEPT_TOO = ("DOCKER_BUILDKIT", "XDG_RUNTIME_DIR")


def environment(own: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a client."""
    kept = {name: os.environ[name] for name in (*_KEPT, *_KEPT_TOO) if name in os.environ}
    return {**kept, **(own or {})}


def run(
    command: Sequence[str], own: Mapping[str, str] | None = None, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Runs a client to its end, whatever its exit status."""
    return subprocess.run(command, env=environment(own), capture_output=True, text=True, timeout=timeout_s, check=False)


def printed(command: Sequence[str], own: Mapping[str, str] | None = None, timeout_s: float = 120) -> str:
    """What a client prints; fails the test when its exit status isn't 0."""
    ended = run(command, own, timeout_s)
    said = f"{ended.stdout[-3_000:]}\n{ended.stderr[-3_000:]}"
    assert ended.returncode == 0, f"{' '.join(command)}: exit status {ended.returncode}\n{said}"
    return ended.stdout


def docker(*arguments: str, timeout_s: float = 120) -> str:
    """What `docker …` prints."""
    return printed(["docker", *arguments], timeout_s=timeout_s)


def inspect(*names: str, kind: str = "container") -> list[dict[str, Any]]:
    """What the engine knows of containers, networks, volumes or images."""
    found: list[dict[str, Any]] = json.loads(docker(kind, "inspect", *names)) if names else []
    return found


@functools.cache
def compose() -> tuple[str, ...]:
    """Compose v2 if this machine has it, else docker-compose."""
    plugin = run(["docker", "compose", "version"]).returncode == 0
    return ("docker", "compose") if plugin else ("docker-compose",)


def versions() -> str:
    """Engine and compose, for the report."""
    engine = docker("version", "--format", "{{.Server.Version}}").strip()
    return f"Docker {engine}, {printed([*compose(), 'version', '--short']).strip()}"
