"""`python -m deploy.supply.licences > docs/licences.md`: the licence of everything of others in the images."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from deploy.supply import images, licence, locks
from deploy.supply.vendored import VENDORED
from shared import lifecycle
from shared.errors import PlumblineError

# The column of the traces' extra beside the images'.
_TRACES = "traces"
_LOCKS = {**{service: service for service in images.SERVICES}, images.OPTIONAL: _TRACES}


@dataclass(frozen=True, slots=True)
class Row:
    """A distribution, its licence as an SPDX expression, and where it is."""

    name: str
    version: str
    licence: str | None
    where: tuple[str, ...]


def said(name: str) -> licence.Said:
    """What the distribution that is installed here says.

    Raises:
        PlumblineError: it isn't installed.
    """
    try:
        told = metadata.distribution(name).metadata
    except metadata.PackageNotFoundError:
        raise PlumblineError(f"{name} is locked and not installed → make setup") from None
    expression, words = ("".join(told.get_all(key) or []) for key in ("License-Expression", "License"))
    classifiers = tuple(each for each in told.get_all("Classifier") or [] if each.startswith("License :: "))
    return licence.Said(expression, words, classifiers)


def rows(locked: Mapping[str, tuple[locks.Locked, ...]]) -> list[Row]:
    """Each distribution of the locks (by where they are installed) once, by name."""
    versions = {each.name: each.version for lock in locked.values() for each in lock}
    return [
        Row(
            name,
            version,
            licence.spdx(said(name)),
            tuple(w for w, lock in locked.items() if name in {x.name for x in lock}),
        )
        for name, version in sorted(versions.items())
    ]


def ours() -> list[Row]:
    """The rows of this checkout's locks."""
    return rows({where: locks.installed(lock) for lock, where in _LOCKS.items()})


def text(found: list[Row]) -> Iterator[str]:
    """The document's lines.

    Raises:
        PlumblineError: a licence that isn't known, or isn't allowed.
    """
    if problems := licence.refused({row.name: row.licence for row in found}):
        raise PlumblineError("\n".join(problems))
    yield "# Licences"
    yield ""
    yield (
        "Made by `make licences` from the locks and each distribution's metadata: what of others is in the images. "
        "Plumbline itself is under Apache-2.0. Licences are SPDX expressions. A licence that isn't on the list in "
        "`deploy/supply/licence.py`, or that can't be told from the metadata, fails this command and `make test`."
    )
    yield ""
    yield f"`{_TRACES}` is the extra `otel`, which is in images that are built with it ([tracing.md](tracing.md))."
    yield from ("", "## Python distributions", "", "| distribution | version | licence | in |", "|---|---|---|---|")
    for row in found:
        where = "all" if set(row.where) >= set(images.SERVICES) else ", ".join(row.where)
        yield f"| {row.name} | {row.version} | {row.licence} | {where} |"
    yield from (
        "",
        "## JavaScript in this repository",
        "",
        "| package | version | licence | in | text |",
        "|---|---|---|---|---|",
    )
    for each in VENDORED:
        where = ", ".join(service for service in images.SERVICES if each.package in images.packages(service))
        yield f"| {each.name} | {each.version} | {each.licence} | {where} | [{each.folder}](../{each.folder}) |"
    yield from ("", "## Allowed, and why", "", f"Permissive, for all: {', '.join(sorted(licence.PERMISSIVE))}.", "")
    for allowance in licence.UNUSUAL:
        yield f"- {allowance.licence} for {', '.join(sorted(allowance.distributions))}: {allowance.reason}"
    yield ""
    yield (
        "What wheels bring along inside (OpenSSL, librdkafka, OpenBLAS, Rust crates, …) is listed by `make sbom`, "
        "which judges the licences that the wheels name for it. The licence files of each wheel are in its "
        "`.dist-info` folder, which stays in the image. Debian's packages, of the base and of `plumbline-front` "
        "(HAProxy and what it needs), aren't judged: their licences are in `/usr/share/doc/*/copyright` of the image, "
        "and `make sbom` checks that it is there for each that the front adds."
    )


def main() -> None:
    """Print the document."""
    argparse.ArgumentParser(prog="python -m deploy.supply.licences", description=__doc__).parse_args()
    sys.stdout.write("\n".join(text(ours())) + "\n")


if __name__ == "__main__":
    lifecycle.run(main)
