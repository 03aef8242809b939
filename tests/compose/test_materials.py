"""What is in the images is what their locks say, and nothing else; the report has their sizes."""

from datetime import UTC, datetime

import pytest

from deploy.supply import contents, engine, images, locks, sbom, sizes
from deploy.supply.bom import bom
from tests.compose.report import Report
from tests.compose.stack import TAG

pytestmark = [pytest.mark.smoke, pytest.mark.usefixtures("images")]


@pytest.mark.parametrize("service", images.SERVICES)
def test_an_image_holds_what_its_lock_says(service: str) -> None:
    found = contents.of_image(service, TAG)
    lock = locks.installed(service)
    assert sbom.problems(found, lock) == []
    assert found.code == images.packages(service)
    assert "libc6" in {each["package"] for each in found.debian}
    assert f"pkg:pypi/{lock[0].name}@{lock[0].version}" in sbom.written(bom(found, lock, datetime.now(UTC)))


def test_the_front_holds_haproxy_and_what_it_needs() -> None:
    found = contents.of_image(images.FRONT, TAG)
    assert sbom.of_debian(found) == []
    assert f"pkg:deb/debian/{images.FRONT_HAS}@" in sbom.written(bom(found, (), datetime.now(UTC)))


def test_the_front_adds_little(measured: Report) -> None:
    size = sizes.of(images.FRONT, engine.layers(images.image(images.FRONT, TAG)))
    measured.figure("image of front: added to its base", (size.dependencies + size.code) / 1e6, "MB")
    assert 0 < size.code < 1e6 < size.dependencies < 20e6


@pytest.mark.parametrize("service", images.SERVICES)
def test_its_size_is_mostly_its_dependencies(service: str, measured: Report) -> None:
    size = sizes.of(service, engine.layers(images.image(service, TAG)))
    measured.figure(f"image of {service}: added to its base", (size.dependencies + size.code) / 1e6, "MB")
    assert 0 < size.code < size.dependencies < 250e6
    assert size.code < 10e6
