"""Sizes of the images, unpacked: of the base, and of what is added to it."""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from deploy.supply import engine, images
from shared import lifecycle

EXAMPLE = "example: python -m deploy.supply.sizes api ingestion --json"
# Where the Dockerfile's last two COPY put what is added, and what the front's installs and copies.
DEPENDENCIES, CODE = "/opt/plumbline/lib", "/opt/plumbline/app"
FRONT_CODE = "/etc/haproxy/haproxy.cfg"
_ADDED = {
    DEPENDENCIES: re.compile(rf"\bCOPY .*{DEPENDENCIES}|\bapt-get install .*{images.FRONT_HAS}"),
    CODE: re.compile(rf"\bCOPY .*({CODE}|{FRONT_CODE})"),
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes on disk, unpacked. The base is in all images, and on a disk once."""

    image: str
    total: int
    base: int
    dependencies: int
    code: int


def of(image: str, layers: Sequence[tuple[str, int]]) -> Sizes:
    """Of an image whose layers are (the command that made it, bytes)."""
    added = {where: sum(size for command, size in layers if by.search(command)) for where, by in _ADDED.items()}
    total = sum(size for _, size in layers)
    return Sizes(image, total, total - sum(added.values()), added[DEPENDENCIES], added[CODE])


def table(found: Sequence[Sizes]) -> Iterator[str]:
    """Lines in Markdown, in MB (10⁶ bytes)."""
    yield "| image | total | base | dependencies | code | added to the base |"
    yield "|---|---|---|---|---|---|"
    for each in found:
        megabytes = [each.total, each.base, each.dependencies, each.code, each.dependencies + each.code]
        yield f"| {each.image.partition(':')[0]} | " + " | ".join(f"{size / 1e6:.1f} MB" for size in megabytes) + " |"


def main() -> None:
    """Ask the engine and print."""
    parser = argparse.ArgumentParser(prog="python -m deploy.supply.sizes", description=__doc__, epilog=EXAMPLE)
    images.arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, in bytes")
    asked = parser.parse_args()
    names = [images.image(service, asked.tag) for service in asked.services or images.ALL]
    found = [of(name, engine.layers(name)) for name in names]
    sys.stdout.write(json.dumps([asdict(each) for each in found], indent=2) if asked.json else "\n".join(table(found)))
    sys.stdout.write("\n")


if __name__ == "__main__":
    lifecycle.run(main)
