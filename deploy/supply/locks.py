"""A lock file of requirements/: which distributions an image installs of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/docker/Dockerfile"

_PINNED = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\\n]+))?")
_PARENT = re.compile(r"^ +# +(?:via +)?([\w.-]+)", re.MULTILINE)
_VIA_ALONE = re.compile(r"^ +# via$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Locked:
    """A pinned distribution: the SHA-256 of each archive that may be installed, and who asked for it."""

    name: str
    version: str
    hashes: tuple[str, ...]
    parents: tuple[str, ...]


def lock_file(service: str) -> Path:
    """Where the lock of a service is."""
    return ROOT / "requirements" / f"{service}.txt"


def python_version(dockerfile: str) -> str:
    """Major.minor of the interpreter that the Dockerfile names."""
    found = re.search(r"^ARG PYTHON=python:(\d+\.\d+)", dockerfile, re.MULTILINE)
    if found is None:
        raise ValueError("the Dockerfile has no line ARG PYTHON=python:MAJOR.MINOR…")
    return found.group(1)


def installed(service: str, extra: str = "") -> tuple[Locked, ...]:
    """What an image of this checkout installs for the service, with the Dockerfile's EXTRA."""
    python = python_version(DOCKERFILE.read_text())
    found = {
        each.name: each for name in (service, extra) if name for each in parse(lock_file(name).read_text(), python)
    }
    return tuple(found.values())


def parse(text: str, python: str) -> Iterator[Locked]:
    """The distributions of a lock that CPython `python` (major.minor) on Linux installs, in the lock's order."""
    environment = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    for entry in re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]:
        pinned = _PINNED.match(entry)
        if pinned is None:
            raise ValueError(f"not a pinned distribution: {entry.splitlines()[0]}")
        if pinned["marker"] and not Marker(pinned["marker"].strip()).evaluate(environment):
            continue
        hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
        parents = tuple(canonicalize_name(name) for name in _PARENT.findall(_VIA_ALONE.sub("", entry)))
        yield Locked(canonicalize_name(pinned["name"]), pinned["version"], hashes, parents)
