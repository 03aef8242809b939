"""What the engine notes of a stack's containers while it watches: it keeps too few of its events to be asked later."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.compose import cli


@contextmanager
def watched(project: str, notes: Path) -> Iterator[None]:
    """Notes starts, ends and health of a project's containers for the block."""
    of = ["--filter", f"label=com.docker.compose.project={project}", "--filter", "type=container"]
    what = [word for event in ("start", "die", "health_status") for word in ("--filter", f"event={event}")]
    with (
        notes.open("w") as file,
        subprocess.Popen(
            ["docker", "events", *of, *what, "--format", "{{json .}}"], stdout=file, env=cli.environment()
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def first(notes: Path, service: str, what: str) -> int:
    """When this first happened to a container of the service, in nanoseconds since 1970."""
    events = [json.loads(line) for line in notes.read_text().splitlines()]
    times = [
        int(event["timeNano"])
        for event in events
        if event["status"] == what and event["Actor"]["Attributes"]["com.docker.compose.service"] == service
    ]
    assert times, f"{service} never had {what}"
    return min(times)
