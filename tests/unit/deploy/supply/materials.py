"""What an image could hold, as inside.py prints it."""

from typing import Any

RUST = {
    "components": [
        {"name": "serde", "version": "1.0", "purl": "pkg:cargo/serde@1.0", "licenses": [{"expression": "MIT"}]}
    ]
}
COPYLEFT = {"components": [{"name": "odd", "purl": "pkg:cargo/odd@1", "licenses": [{"expression": "GPL-2.0-only"}]}]}
WHEEL = {"components": [{"name": "one", "version": "1", "purl": "pkg:pypi/one@1"}, {"name": "part", "version": "2"}]}


def distribution(name: str, version: str, **more: Any) -> dict[str, Any]:
    """As `inside.told` has it."""
    empty = {
        "expression": "MIT",
        "words": "",
        "classifiers": [],
        "summary": "",
        "libraries": {},
        "sboms": [],
        "changed": [],
    }
    return {"name": name, "version": version, **empty, **more}


def package(name: str, depends: str = "") -> dict[str, str]:
    """As `inside.debian` has it."""
    return {"package": name, "version": "1", "architecture": "amd64", "depends": depends}


def found(*distributions: dict[str, Any]) -> dict[str, Any]:
    """As `inside.main` prints it."""
    return {
        "python": "3.13.9",
        "system": {"ID": "debian", "VERSION_ID": "12"},
        "debian": [{"package": "libc6", "version": "2.36-9+deb12u10", "architecture": "amd64", "depends": ""}],
        "added": {},
        "base": [distribution("pip", "25.3")],
        "distributions": list(distributions),
        "code": ["api_service", "shared"],
        "digests": {"/opt/plumbline/lib": "0" * 64},
    }
