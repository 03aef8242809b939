"""What is in an image: as found in the image itself, or, without an engine, as its lock file says."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from deploy.supply import engine, images, licences, locks
from deploy.supply.licence import Said, spdx

INSIDE = Path(__file__).with_name("inside.py")


@dataclass(frozen=True, slots=True)
class Part:
    """What a wheel has compiled in, as it says itself (PEP 770); the licence where it says that too."""

    name: str
    version: str | None
    purl: str
    licence: str | None


@dataclass(frozen=True, slots=True)
class Distribution:
    """A Python distribution.

    `libraries`: shared objects of others in its wheel, path → SHA-256. `changed`: files that aren't what the wheel's
    RECORD says.
    """

    name: str
    version: str
    licence: str | None
    summary: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contents:
    """`source` says where this is known from; `system` (of os-release) and `debian` are empty without an image.

    `added`: the Debian packages over the base's, and whether their licence's text is there.
    """

    service: str
    source: str
    python: str
    code: frozenset[str]
    distributions: tuple[Distribution, ...]
    base: tuple[Distribution, ...] = ()
    system: Mapping[str, str] = field(default_factory=dict)
    debian: tuple[Mapping[str, str], ...] = ()
    added: Mapping[str, bool] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


def of_lock(service: str) -> Contents:
    """What an image of this checkout would install. Licences are those of the distributions that are installed here."""
    found = [Distribution(each.name, each.version, spdx(licences.said(each.name))) for each in locks.installed(service)]
    python = locks.python_version(locks.DOCKERFILE.read_text())
    path = locks.lock_file(service).relative_to(locks.ROOT)
    return Contents(service, f"lock file {path}", python, images.packages(service), tuple(found))


def of_image(service: str, tag: str) -> Contents:
    """What is in the image, looked at from inside, without a network and without a right.

    Raises:
        Unavailable: no engine, or no such image.
    """
    name = images.image(service, tag)
    identity = engine.image(name)["Id"]
    barred = ("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    run = ("run", "--rm", "-i", *barred, "--entrypoint", "python", identity, "-")
    return read(service, f"image {name} {identity}", json.loads(engine.ask(*run, given=INSIDE.read_text())))


def read(service: str, source: str, found: Mapping[str, Any]) -> Contents:
    """What `inside.py` printed."""
    return Contents(
        service=service,
        source=source,
        python=found["python"],
        code=frozenset(found["code"]),
        distributions=tuple(map(_distribution, found["distributions"])),
        base=tuple(map(_distribution, found["base"])),
        system=found["system"],
        debian=tuple(found["debian"]),
        added=found["added"],
        digests=found["digests"],
    )


def _distribution(told: Mapping[str, Any]) -> Distribution:
    return Distribution(
        name=canonicalize_name(told["name"]),
        version=told["version"],
        licence=spdx(Said(told["expression"], told["words"], tuple(told["classifiers"]))),
        summary=told["summary"],
        libraries=told["libraries"],
        parts=tuple(_parts(told["sboms"])),
        changed=tuple(told["changed"]),
    )


def _parts(sboms: Iterable[Mapping[str, Any]]) -> Iterator[Part]:
    """Components of a wheel's SBOMs, each once, without the wheel itself."""
    named = {each["purl"]: each for sbom in sboms for each in sbom.get("components", []) if "purl" in each}
    for purl, each in named.items():
        if not purl.startswith("pkg:pypi/"):
            licence = next((said["expression"] for said in each.get("licenses", []) if "expression" in said), None)
            yield Part(each["name"], each.get("version"), purl, licence)
