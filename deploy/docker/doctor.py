"""What a command in a container can see amiss: the parts, the clock, and the machine that the engine runs on."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import psutil

from deploy.docker import status
from deploy.local import doctor
from deploy.local.doctor import Finding


def examine(home: Path, values: Mapping[str, str]) -> list[Finding]:
    """All findings; ports, Java and programs are the images' affair."""
    parts = status.parts(values)
    running = any(part.state != "stopped" for part in parts)
    return [
        doctor.disk(shutil.disk_usage(home).free, home, "docker system df"),
        doctor.memory(psutil.virtual_memory().available, running=running),
        doctor.compared_clock(values, parts, home),
        *(doctor.part_finding(part, known=True, stack_runs=running) for part in parts),
    ]
