"""Licences: read from metadata, judged by a list, told in docs/licences.md."""

from pathlib import Path

import pytest

from deploy.supply import licence, licences, locks
from deploy.supply.licence import Said
from deploy.supply.vendored import VENDORED, Vendored
from shared.errors import PlumblineError

ROOT = Path(__file__).parents[4]
MIT = "License :: OSI Approved :: MIT License"
APACHE = "License :: OSI Approved :: Apache Software License"


def test_the_document_is_current_and_every_licence_is_allowed() -> None:
    assert (ROOT / "docs/licences.md").read_text() == "\n".join(licences.text(licences.ours())) + "\n", (
        "run make licences"
    )


@pytest.mark.parametrize(
    ("said", "expression"),
    [
        (Said("MIT OR Apache-2.0", "BSD", (APACHE,)), "MIT OR Apache-2.0"),
        (Said("Whatever I like"), None),
        (Said(words="apache-2.0"), "Apache-2.0"),
        (Said(words="MIT License", classifiers=(APACHE, MIT)), "MIT"),
        (Said(words="The text of a licence\nof many lines", classifiers=(MIT,)), "MIT"),
        (Said(classifiers=(APACHE, MIT)), "Apache-2.0 AND MIT"),
        (Said(classifiers=(MIT, "License :: OSI Approved :: BSD License")), None),
        (Said(), None),
    ],
)
def test_what_metadata_says_becomes_an_expression(said: Said, expression: str | None) -> None:
    assert licence.spdx(said) == expression


@pytest.mark.parametrize(
    ("name", "expression", "allowed"),
    [
        ("anything", "MIT", True),
        ("anything", "GPL-3.0-only", False),
        ("anything", "GPL-2.0-only OR BSD-3-Clause", True),
        ("anything", "MIT AND GPL-3.0-or-later", False),
        ("anything", "MIT AND (AGPL-3.0-only OR ISC)", True),
        ("anything", "Apache-2.0 WITH LLVM-exception", True),
        ("anything", "GPL-3.0-only WITH GCC-exception-3.1", False),
        ("anything", "LGPL-3.0-only", False),
        ("psycopg", "LGPL-3.0-only", True),
        ("psycopg", "GPL-3.0-only", False),
        ("psycopg", "MPL-2.0", False),
        ("certifi", "MPL-2.0", True),
    ],
)
def test_the_list_decides(name: str, expression: str, allowed: bool) -> None:
    assert licence.allowed(name, expression) is allowed
    assert bool(licence.refused({name: expression})) is not allowed


@pytest.mark.parametrize(("found", "message"), [(None, "isn't clear"), ("SSPL-1.0", "SSPL-1.0 isn't allowed")])
def test_one_bad_licence_fails_the_document(found: str | None, message: str) -> None:
    rows = [licences.Row("good", "1", "MIT", ("api",)), licences.Row("odd", "1", found, ("api",))]
    with pytest.raises(PlumblineError, match=f"^odd: .*{message}.* → "):
        list(licences.text(rows))


def test_a_distribution_that_is_not_installed_has_no_licence_to_read() -> None:
    missing = locks.Locked("not-there", "1", ("0" * 64,), ())
    with pytest.raises(PlumblineError, match="not-there is locked and not installed → make setup"):
        licences.rows({"api": (missing,)})


def test_an_allowance_is_for_something_that_is_used() -> None:
    licences_of = {row.name: row.licence for row in licences.ours()}
    for allowance in licence.UNUSUAL:
        assert {licences_of[name] for name in allowance.distributions} == {allowance.licence}


@pytest.mark.parametrize("vendored", VENDORED, ids=lambda each: each.name)
def test_vendored_scripts_are_of_the_version_and_beside_their_licence(vendored: Vendored) -> None:
    folder = ROOT / vendored.folder
    assert vendored.version in (folder / vendored.says_its_version).read_text()
    assert any(path.name.startswith("LICENSE") for path in folder.iterdir())


def test_every_folder_of_others_scripts_is_listed() -> None:
    assert {path.parent for path in ROOT.glob("*_service/**/LICENSE*")} == {ROOT / each.folder for each in VENDORED}
