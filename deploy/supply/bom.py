"""The bill of materials of an image, in CycloneDX's model."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from packageurl import PackageURL

from deploy.supply.contents import Contents, Distribution, Part
from deploy.supply.locks import Locked
from deploy.supply.vendored import VENDORED, Vendored
from shared.version import VERSION

# As the locks name who asked for a distribution of its own accord.
_ROOT = "plumbline"

# The names in Debian's list of dependencies, alternatives too.
_NAMES = re.compile(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)")

_licences = LicenseFactory()


def bom(contents: Contents, lock: Iterable[Locked], now: datetime) -> Bom:
    """What the image holds, and which distribution asked for which."""
    result = Bom()
    result.metadata.timestamp = now
    result.metadata.component = root = _image(contents)
    locked = {each.name: each for each in lock}
    ours = {each.name: _distribution(each, locked.get(each.name)) for each in contents.distributions}
    debian = {each["package"]: _package(each, contents) for each in contents.debian}
    needed = _needed(contents)
    brought = {name for names in needed.values() for name in names if name in contents.added}
    others = [
        _python(contents.python),
        *(_distribution(each, None) for each in contents.base),
        *(each for name, each in debian.items() if name not in brought),
        *(_vendored(each) for each in VENDORED if each.package in contents.code),
        *([_system(contents.system)] if contents.system else []),
    ]
    for component in (*ours.values(), *debian.values(), *others):
        result.components.add(component)
    asked = _asked(ours.keys(), locked)
    result.register_dependency(root, [*(ours[name] for name in asked.pop(_ROOT)), *others])
    for parent, names in asked.items():
        result.register_dependency(ours[parent], [ours[name] for name in names])
    for parent, names in needed.items():
        result.register_dependency(debian[parent], [debian[name] for name in names])
    return result


def _needed(contents: Contents) -> dict[str, list[str]]:
    """What each Debian package over the base's depends on, of what is installed."""
    there = {each["package"] for each in contents.debian}
    return {
        each["package"]: sorted(there & set(_NAMES.findall(each["depends"])))
        for each in contents.debian
        if each["package"] in contents.added
    }


def _asked(names: Iterable[str], locked: Mapping[str, Locked]) -> dict[str, list[str]]:
    """Which distributions each asked for, and the image itself; what isn't locked, the image is said to ask for."""
    children: dict[str, list[str]] = {_ROOT: [], **{name: [] for name in names}}
    for name in names:
        for parent in locked[name].parents if name in locked else (_ROOT,):
            if parent in children:
                children[parent].append(name)
    return children


def _image(contents: Contents) -> Component:
    name = f"plumbline-{contents.service}"
    return Component(
        type=ComponentType.CONTAINER,
        name=name,
        version=VERSION,
        bom_ref=name,
        # Of what is ours in it; nothing is said of what is only Debian's.
        licenses=[_licences.make_from_string("Apache-2.0")] if contents.code else [],
        properties=[
            Property(name="plumbline:source", value=contents.source),
            *(Property(name=f"plumbline:sha256:{path}", value=found) for path, found in contents.digests.items()),
        ],
    )


def _distribution(each: Distribution, locked: Locked | None) -> Component:
    """With the archives that the lock allows, and what the wheel brings along inside."""
    purl = PackageURL("pypi", name=each.name, version=each.version)
    archives = [HashType(alg=HashAlgorithm.SHA_256, content=content) for content in locked.hashes] if locked else []
    reference = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(str(purl)),
        comment="one of these archives, by the lock",
        hashes=archives,
    )
    return Component(
        name=each.name,
        version=each.version,
        purl=purl,
        bom_ref=str(purl),
        description=each.summary or None,
        licenses=[_licences.make_from_string(each.licence)] if each.licence else [],
        external_references=[reference] if archives else [],
        components=[*_parts(str(purl), each.parts), *_libraries(str(purl), each.libraries)],
    )


def _parts(parent: str, parts: Iterable[Part]) -> list[Component]:
    return [
        Component(
            name=each.name,
            version=each.version,
            purl=PackageURL.from_string(each.purl),
            bom_ref=f"{parent}#{each.purl}",
            licenses=[_licences.make_from_string(each.licence)] if each.licence else [],
        )
        for each in parts
    ]


def _libraries(parent: str, libraries: Mapping[str, str]) -> list[Component]:
    return [
        Component(
            type=ComponentType.FILE,
            name=path,
            bom_ref=f"{parent}#{path}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=content)],
        )
        for path, content in libraries.items()
    ]


def _python(version: str) -> Component:
    return Component(
        type=ComponentType.PLATFORM,
        name="python",
        version=version,
        bom_ref="python",
        purl=PackageURL("generic", name="python", version=version),
        cpe=f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*" if version.count(".") == 2 else None,
        licenses=[_licences.make_from_string("PSF-2.0")],
    )


def _system(release: Mapping[str, str]) -> Component:
    return Component(
        type=ComponentType.OPERATING_SYSTEM, name=release["ID"], version=release["VERSION_ID"], bom_ref="system"
    )


def _package(package: Mapping[str, str], contents: Contents) -> Component:
    release = contents.system
    about = {"arch": package["architecture"], "distro": f"{release['ID']}-{release['VERSION_ID']}"}
    purl = PackageURL("deb", release["ID"], package["package"], package["version"], about)
    return Component(
        name=package["package"],
        version=package["version"],
        purl=purl,
        bom_ref=str(purl),
        properties=[Property(name="plumbline:added", value="over the base")]
        if package["package"] in contents.added
        else [],
    )


def _vendored(each: Vendored) -> Component:
    purl = PackageURL("npm", name=each.name, version=each.version)
    return Component(
        name=each.name,
        version=each.version,
        purl=purl,
        bom_ref=str(purl),
        licenses=[_licences.make_from_string(each.licence)],
        properties=[Property(name="plumbline:folder", value=each.folder)],
    )
