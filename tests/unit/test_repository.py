"""What the repository promises of itself."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ops import env_example

ROOT = Path(__file__).parents[2]
EXTRAS = ("simulator", "ingestion", "aggregation", "api", "ops", "otel", "dev")


def declared(extra: str | None) -> list[Requirement]:
    """What pyproject.toml asks for, extras of our own resolved."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    found = []
    for requirement in map(Requirement, texts):
        if requirement.name == "plumbline":
            found += [r for name in sorted(requirement.extras) for r in declared(name)]
        else:
            found.append(requirement)
    return found


def locked(extra: str) -> dict[str, str]:
    """Name → version of a lock file."""
    text = (ROOT / "requirements" / f"{extra}.txt").read_text()
    return {
        canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)
    }


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_lock_has_what_pyproject_asks_for(extra: str) -> None:
    """`make lock` brings them together."""
    versions = locked(extra)
    for requirement in declared(None) + declared(extra):
        name = canonicalize_name(requirement.name)
        assert name in versions, f"{name}: run make lock"
        assert requirement.specifier.contains(versions[name]), f"{name}: run make lock"


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_lock_has_hashes_and_names_no_index(extra: str) -> None:
    text = (ROOT / "requirements" / f"{extra}.txt").read_text()
    assert "://" not in text
    assert "--index" not in text
    entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("extra", [e for e in EXTRAS if e != "dev"])
def test_one_version_of_a_package_everywhere(extra: str) -> None:
    everywhere = locked("dev")
    assert {name: everywhere.get(name) for name in locked(extra)} == locked(extra)


def test_the_environments_example_is_current() -> None:
    assert (ROOT / ".env.example").read_text() == env_example.text(), "run make env-example"


def test_nothing_names_a_registry_or_a_path_of_one_machine() -> None:
    hosts = r"pypi\.org|pythonhosted|registry\.npmjs|repo\d?\.maven|maven\.org|deb\.debian|proxy\.golang|crates\.io"
    pattern = re.compile(rf"{hosts}|/root/|/home/[a-z]")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    found = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path == Path(__file__) or not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{name}: {match.group()}" for match in pattern.finditer(text)]
    assert found == []
