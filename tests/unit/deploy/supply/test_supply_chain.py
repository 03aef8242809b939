"""docs/supply-chain.md names the images that docker-compose.yml and the Dockerfile take, and no others."""

import re

from deploy.supply import images, locks
from tests.unit.deploy.docker.composed import BUILT, OURS, SERVICES

TEXT = (locks.ROOT / "docs/supply-chain.md").read_text()


def rows(title: str) -> list[list[str]]:
    """Cells of the first table below a title, without its head."""
    lines = TEXT.partition(f"## {title}\n")[2].splitlines()
    table = [
        line
        for line in lines[: lines.index("", next(n for n, line in enumerate(lines) if line[:1] == "|"))]
        if line[:1] == "|"
    ]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def test_each_image_of_others_is_in_the_table_with_its_tag_and_a_reason() -> None:
    told = rows("Images of others")
    used = {
        (image, tag, f"`{name}`")
        for name, service in SERVICES.items()
        for image, _, tag in [service["image"].partition(":")]
        if name not in BUILT
    }
    found = re.search(r"^ARG PYTHON=([^:\s]+):(\S+)$", locks.DOCKERFILE.read_text(), re.MULTILINE)
    assert found is not None
    base = {(found[1], found[2], "the Dockerfiles (build argument `PYTHON`)")}
    assert {(image, tag, who) for image, tag, who, _ in told} == used | base
    assert all(why for *_, why in told)
    assert len(told) == len(used | base)


def test_our_images_are_named_as_compose_builds_them() -> None:
    built = {SERVICES[name]["image"] for name in BUILT}
    assert built == {images.image(service, "${PLUMBLINE_TAG:-dev}") for service in images.ALL}
    modules = {SERVICES[name]["build"]["args"]["MODULE"] for name in OURS if "build" in SERVICES[name]}
    assert modules == {images.package(service) for service in images.SERVICES}


def test_the_sizes_are_of_all_images() -> None:
    assert [image for image, *_ in rows("Sizes")] == [f"plumbline-{service}" for service in images.ALL]


def test_the_example_pins_whatever_is_built_or_pulled() -> None:
    pinned = set(re.findall(r"^  ([a-z-]+): \{(?:image|build): ", TEXT, re.MULTILINE))
    built = {name for name, service in SERVICES.items() if "build" in service}
    assert pinned == built | {"postgres", "kafka"}
