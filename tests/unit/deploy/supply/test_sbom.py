"""Bills of materials: valid by CycloneDX's schema, and with everything that is there."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.supply import contents, images, licence, locks, sbom
from deploy.supply.bom import bom
from deploy.supply.contents import Contents
from deploy.supply.locks import Locked
from shared.errors import PlumblineError, Unavailable
from tests.unit.deploy.supply.materials import COPYLEFT, RUST, WHEEL, distribution, found, package

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ONE = Locked("one", "1", ("a" * 64, "b" * 64), ("plumbline",))
TWO = Locked("two", "2", ("c" * 64,), ("one",))


def document(seen: Contents, lock: tuple[Locked, ...]) -> dict[str, Any]:
    """What is written, which has passed the schema."""
    return dict(json.loads(sbom.written(bom(seen, lock, NOW))))


def purls(made: dict[str, Any]) -> set[str]:
    return {each["purl"] for each in made["components"] if "purl" in each}


def image(*distributions: dict[str, Any]) -> Contents:
    return contents.read("api", "image plumbline-api:dev sha256:1", found(*distributions))


@pytest.mark.parametrize("service", images.SERVICES)
def test_every_locked_distribution_is_in_it_with_its_licence_and_hashes(service: str) -> None:
    lock = locks.installed(service)
    made = document(contents.of_lock(service), lock)
    components = {each.get("purl"): each for each in made["components"]}
    for each in lock:
        component = components[f"pkg:pypi/{each.name}@{each.version}"]
        assert component["licenses"]
        (reference,) = component["externalReferences"]
        assert {found["content"] for found in reference["hashes"]} == set(each.hashes)
    (source, *_) = made["metadata"]["component"]["properties"]
    assert source == {"name": "plumbline:source", "value": f"lock file requirements/{service}.txt"}
    assert ("pkg:npm/uplot@1.6.32" in components) is (service in {"api", "ops"})


def test_what_is_taken_out_of_the_lock_is_not_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = locks.installed("ingestion")
    less = tuple(each for each in whole if each.name != "msgspec")
    assert len(less) == len(whole) - 1
    monkeypatch.setattr(locks, "installed", lambda _service: less)
    names = {each["name"] for each in document(contents.of_lock("ingestion"), less)["components"]}
    assert "msgspec" not in names
    assert "numpy" in names


def test_an_image_is_told_as_it_is() -> None:
    one = distribution("one", "1", sboms=[RUST, WHEEL], libraries={"one.libs/libx.so": "d" * 64})
    made = document(image(one, distribution("two", "2")), (ONE, TWO))
    assert made["metadata"]["timestamp"] == "2026-11-21T00:00:00+00:00"
    assert purls(made) == {
        *("pkg:pypi/one@1", "pkg:pypi/two@2", "pkg:pypi/pip@25.3", "pkg:generic/python@3.13.9"),
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12",
        *("pkg:npm/swagger-ui-dist@5.35.0", "pkg:npm/uplot@1.6.32"),
    }
    (component,) = (each for each in made["components"] if each["name"] == "one")
    assert [(each["type"], each["name"]) for each in component["components"]] == [
        ("file", "one.libs/libx.so"),
        ("library", "serde"),
    ]


def test_who_asked_for_what_is_in_it() -> None:
    made = document(image(distribution("one", "1"), distribution("two", "2")), (ONE, TWO))
    asked = {each["ref"]: each.get("dependsOn", []) for each in made["dependencies"]}
    assert asked["pkg:pypi/one@1"] == ["pkg:pypi/two@2"]
    assert "pkg:pypi/one@1" in asked["plumbline-api"]
    assert "pkg:pypi/two@2" not in asked["plumbline-api"]


@pytest.mark.parametrize(
    ("distributions", "told"),
    [
        ((distribution("one", "1"),), ["two 2 is locked and not in it → docker compose build api"]),
        (
            (distribution("one", "1"), distribution("two", "3")),
            [
                "two 2 is locked and not in it → docker compose build api",
                "two 3 is in it and not locked → docker compose build api",
            ],
        ),
        (
            (distribution("one", "1", changed=["one/x.py"]), distribution("two", "2")),
            ["one/x.py isn't what one installs → docker compose build api"],
        ),
        (
            (distribution("one", "1"), distribution("two", "2", expression="AGPL-3.0-only")),
            licence.refused({"two": "AGPL-3.0-only"}),
        ),
        (
            (distribution("one", "1", sboms=[RUST]), distribution("two", "2", sboms=[COPYLEFT])),
            licence.refused({"odd in two": "GPL-2.0-only"}),
        ),
        ((distribution("One", "1"), distribution("two", "2")), []),
    ],
)
def test_an_image_that_is_not_as_its_lock_says_is_told(
    distributions: tuple[dict[str, Any], ...], told: list[str]
) -> None:
    assert sbom.problems(image(*distributions), (ONE, TWO)) == told


def test_an_image_with_traces_is_compared_with_their_lock_too() -> None:
    assert sbom.built_with(image(distribution("one", "1"))) == ""
    assert sbom.built_with(image(distribution("opentelemetry-sdk", "1"))) == "otel"
    both = {each.name for each in locks.installed("aggregation", "otel")}
    assert both == {each.name for lock in ("aggregation", "otel") for each in locks.installed(lock)}
    assert len(both) == len(locks.installed("aggregation", "otel"))


def front(**of_debian: bool) -> Contents:
    """The front's image, with HAProxy and a library that only HAProxy needs."""
    told = found() | {"code": [], "digests": {}, "added": of_debian}
    libc, haproxy = package("libc6"), package("haproxy", "libc6 (>= 2.34), liblua5.3-0, absent | lsb-base")
    told["debian"] = [libc, haproxy, package("liblua5.3-0", "libc6")]
    return contents.read("front", "image plumbline-front:dev sha256:1", told)


def test_the_front_s_packages_are_under_haproxy_and_nothing_is_said_of_their_licences() -> None:
    made = document(front(haproxy=True, **{"liblua5.3-0": True}), ())
    assert "licenses" not in made["metadata"]["component"]
    components = {each["name"]: each for each in made["components"]}
    packages = {name: components[name] for name in ("libc6", "haproxy", "liblua5.3-0")}
    assert not any("licenses" in each for each in packages.values())
    assert {name for name, each in packages.items() if "properties" in each} == {"haproxy", "liblua5.3-0"}
    asked = {each["ref"]: each.get("dependsOn", []) for each in made["dependencies"]}
    refs = {name: each["bom-ref"] for name, each in packages.items()}
    assert set(refs.values()) & set(asked["plumbline-front"]) == {refs["haproxy"], refs["libc6"]}
    assert set(asked[refs["haproxy"]]) == {refs["liblua5.3-0"], refs["libc6"]}


@pytest.mark.parametrize(
    ("of_debian", "told"),
    [
        ({"haproxy": True}, []),
        ({}, ["haproxy isn't known to be in it → docker compose build front"]),
        ({"haproxy": False}, ["haproxy: no text of its licence is in the image"]),
    ],
)
def test_a_front_that_lacks_something_is_told(of_debian: dict[str, bool], told: list[str]) -> None:
    assert sbom.of_debian(front(**of_debian)) == told


def test_what_does_not_pass_the_schema_is_not_written() -> None:
    made = bom(image(), (), NOW)
    assert made.metadata.component is not None
    made.metadata.component.mime_type = "no type"
    with pytest.raises(PlumblineError, match="isn't valid"):
        sbom.written(made)


def test_without_an_engine_the_lock_is_read_and_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert sbom.look("ops", "dev", "auto").source == "lock file requirements/ops.txt"
    assert capsys.readouterr().err.startswith("ops: no command `docker` here")
    for service, source in (("ops", "image"), ("front", "auto")):
        with pytest.raises(Unavailable, match="no command `docker` here → "):
            sbom.look(service, "dev", source)
