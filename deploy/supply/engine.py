"""The Docker engine of this machine, asked through its command line."""

import json
import subprocess
from typing import Any

from shared.errors import Unavailable

_TIMEOUT_S = 300


def ask(*arguments: str, given: str | None = None) -> str:
    """Standard output of `docker …`.

    Raises:
        Unavailable: no client, no engine, or it said no.
    """
    command = ["docker", *arguments]
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except OSError:
        raise Unavailable("no command `docker` here → install a Docker engine and its client") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"docker {arguments[0]} didn't answer for {_TIMEOUT_S} s → docker info") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Unavailable(f"docker {arguments[0]} failed: {said} → docker info")
    return done.stdout


def image(name: str) -> dict[str, Any]:
    """What the engine knows of an image: Id, Created, Size, RootFS, …

    Raises:
        Unavailable: no engine, or no such image.
    """
    ask("version")
    try:
        (found,) = json.loads(ask("image", "inspect", name))
    except Unavailable:
        raise Unavailable(f"there is no image {name} → docker compose build") from None
    return dict(found)


def layers(name: str) -> list[tuple[str, int]]:
    """The command that made each layer of an image, newest first, and the layer's size in bytes.

    Raises:
        Unavailable: no engine, or no such image.
    """
    image(name)
    told = ask("history", "--no-trunc", "--human=false", "--format", "{{json .}}", name)
    lines = [json.loads(line) for line in told.splitlines()]
    return [(line["CreatedBy"], int(line["Size"])) for line in lines]
