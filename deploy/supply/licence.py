"""Which licence a distribution has, as an SPDX expression, and whether it may be in an image."""

from collections.abc import Mapping
from dataclasses import dataclass

from cyclonedx.spdx import fixup_id, is_expression
from license_expression import AND, OR, LicenseSymbol, LicenseWithExceptionSymbol, get_spdx_licensing

# Permissive: keep the notice, which stays in the image with each distribution's metadata.
PERMISSIVE = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "PSF-2.0"),
        *("Unicode-3.0", "Unicode-DFS-2016", "Zlib"),
    }
)


@dataclass(frozen=True, slots=True)
class Allowance:
    """A licence that asks for more than its notice, allowed for these distributions and for no other."""

    licence: str
    distributions: frozenset[str]
    reason: str


UNUSUAL = (
    Allowance(
        "LGPL-3.0-only",
        frozenset({"psycopg", "psycopg-binary", "psycopg-pool"}),
        "used as libraries, unchanged, each in a folder of its own in /opt/plumbline/lib: whoever has an image can put "
        "another build in its place, which is what the LGPL asks for. It doesn't extend to what imports them.",
    ),
    Allowance(
        "MPL-2.0",
        frozenset({"certifi"}),
        "Mozilla's list of CAs, unchanged: the MPL is about changes to its own files. Only with the traces' extra.",
    ),
)

# What metadata from before SPDX expressions says, in words that aren't an identifier.
_WORDS = {
    "Apache 2.0": "Apache-2.0",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "3-Clause BSD License": "BSD-3-Clause",
}
_CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
}

_licensing = get_spdx_licensing()


@dataclass(frozen=True, slots=True)
class Said:
    """What a distribution's metadata says: `License-Expression`, `License`, the classifiers about licences."""

    expression: str = ""
    words: str = ""
    classifiers: tuple[str, ...] = ()


def spdx(said: Said) -> str | None:
    """The SPDX expression; None where the metadata doesn't say it clearly. All of several classifiers hold."""
    if said.expression:
        return said.expression if is_expression(said.expression) else None
    words = said.words.strip()
    if known := _WORDS.get(words) or fixup_id(words) or (words if words and is_expression(words) else None):
        return known
    classified = [_CLASSIFIERS.get(each) for each in said.classifiers]
    if not classified or None in classified:
        return None
    return " AND ".join(filter(None, classified))


def refused(licences: Mapping[str, str | None]) -> list[str]:
    """Why distributions (name → SPDX expression) can't be in an image; empty if all can."""
    problems = []
    for name, expression in sorted(licences.items()):
        if expression is None:
            problems.append(f"{name}: its licence isn't clear → read it, then name it in deploy/supply/licence.py")
        elif not allowed(name, expression):
            problems.append(
                f"{name}: {expression} isn't allowed → use another distribution, or allow it in "
                "deploy/supply/licence.py with the reason"
            )
    return problems


def allowed(name: str, expression: str) -> bool:
    """Whether what is due under the expression is allowed for this distribution: one side of an OR is enough."""
    may = PERMISSIVE | {each.licence for each in UNUSUAL if name in each.distributions}
    return _holds(_licensing.parse(expression), may)


def _holds(expression: object, may: frozenset[str]) -> bool:
    match expression:
        case AND():
            return all(_holds(part, may) for part in expression.args)
        case OR():
            return any(_holds(part, may) for part in expression.args)
        case LicenseWithExceptionSymbol():  # an exception only permits more
            return expression.license_symbol.key in may
        case LicenseSymbol():
            return expression.key in may
    return False
