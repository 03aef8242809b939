"""Write a bill of materials (CycloneDX, JSON) of each image into sbom/, or of one to standard output.

It is of what is in the image, where there is an engine that has it; otherwise of what the lock file says (the front has
none). An image that isn't as its lock says, or that holds what isn't allowed, is told and ends with status 1.
"""

import argparse
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.supply import contents, images, licence, locks
from deploy.supply.bom import bom
from deploy.supply.contents import Contents
from shared import lifecycle
from shared.errors import PlumblineError, Unavailable

FOLDER = locks.ROOT / "sbom"
EXAMPLE = "example: python -m deploy.supply.sbom api --stdout"


def written(made: Bom) -> str:
    """As JSON that has passed its schema.

    Raises:
        PlumblineError: it hasn't: a name or a licence that CycloneDX doesn't take.
    """
    text = JsonV1Dot6(made).output_as_string(indent=2)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise PlumblineError(f"the bill of materials isn't valid → report this: {error}")
    return f"{text}\n"


def problems(found: Contents, lock: Iterable[locks.Locked]) -> list[str]:
    """How the contents differ from the lock, and what of it may not be in an image."""
    there = {(each.name, each.version) for each in found.distributions}
    asked = {(each.name, each.version) for each in lock}
    build = f"→ docker compose build {found.service}"
    return [
        *(f"{name} {version} is locked and not in it {build}" for name, version in sorted(asked - there)),
        *(f"{name} {version} is in it and not locked {build}" for name, version in sorted(there - asked)),
        *(f"{path} isn't what {each.name} installs {build}" for each in found.distributions for path in each.changed),
        *licence.refused({each.name: each.licence for each in found.distributions}),
        *licence.refused(
            {
                f"{part.name} in {each.name}": part.licence
                for each in found.distributions
                for part in each.parts
                if part.licence
            }
        ),
    ]


def of_debian(found: Contents) -> list[str]:
    """What the front lacks. Debian's licences aren't judged, only that their texts are there."""
    if images.FRONT_HAS not in found.added:
        return [f"{images.FRONT_HAS} isn't known to be in it → docker compose build {found.service}"]
    return [f"{name}: no text of its licence is in the image" for name, told in found.added.items() if not told]


def built_with(found: Contents) -> str:
    """What the image was built with as EXTRA."""
    return images.OPTIONAL if images.OPTIONAL_HAS in {each.name for each in found.distributions} else ""


def look(service: str, tag: str, source: str) -> Contents:
    """Into the image; `auto`: into the lock where there is no image."""
    if source == "lock":
        return contents.of_lock(service)
    try:
        return contents.of_image(service, tag)
    except Unavailable as missing:
        if source == "image" or service == images.FRONT:
            raise
        sys.stderr.write(f"{service}: {missing}\n")
        return contents.of_lock(service)


def main() -> int:
    """One bill of materials a service."""
    parser = argparse.ArgumentParser(prog="python -m deploy.supply.sbom", description=__doc__, epilog=EXAMPLE)
    images.arguments(parser)
    parser.add_argument(
        "--from", dest="source", choices=("auto", "image", "lock"), default="auto", help="(default: auto)"
    )
    parser.add_argument("--stdout", action="store_true", help="of one service, and into no file")
    asked = parser.parse_args()
    if asked.source == "lock" and images.FRONT in asked.services:
        parser.error(f"{images.FRONT} has no lock → --from image")
    if asked.stdout and len(asked.services) != 1:
        parser.error("--stdout is for one SERVICE")
    wrong = 0
    for service in asked.services or (images.SERVICES if asked.source == "lock" else images.ALL):
        found = look(service, asked.tag, asked.source)
        front = service == images.FRONT
        lock = () if front else locks.installed(service, built_with(found))
        text = written(bom(found, lock, datetime.now(UTC)))
        where = "" if asked.stdout else f"{_write(service, text).relative_to(locks.ROOT)}: "
        sys.stdout.write(text if asked.stdout else "")
        sys.stderr.write(f"{where}of {found.source}\n")
        for problem in of_debian(found) if front else problems(found, lock):
            wrong = 1
            sys.stderr.write(f"{service}: {problem}\n")
    return wrong


def _write(service: str, text: str) -> Path:
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{service}.cdx.json"
    path.write_text(text)
    return path


if __name__ == "__main__":
    lifecycle.run(main)
