"""Runs inside an image (`docker run … python - < inside.py`) and prints as JSON what is in it; needs Python alone.

The Python distributions of our folder and of the base, the Debian packages and which of them aren't the base's, which
files aren't what their wheel's RECORD says, and a digest of all files of ours, which two images with the same content
share.
"""

import base64
import hashlib
import json
import platform
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from email import message_from_string
from importlib import metadata
from pathlib import Path
from typing import Any

HOME = Path("/opt/plumbline")
LIB, APP = HOME / "lib", HOME / "app"
DPKG, DOC = Path("/var/lib/dpkg"), Path("/usr/share/doc")


def files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file by its path in the folder, in an order that is always the same."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def digest(folder: Path, hashes: Mapping[str, str]) -> str:
    """One SHA-256 of all files: their paths, modes and contents."""
    lines = (f"{path}\0{(folder / path).stat().st_mode & 0o7777:o}\0{found}\n" for path, found in hashes.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def changed(distribution: metadata.Distribution, hashes: Mapping[str, str]) -> list[str]:
    """Files that have another content than the wheel's RECORD says. One that was removed is no such file."""
    recorded = {str(each): each.hash.value for each in distribution.files or [] if each.hash}
    padded = {path: base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex() for path, value in recorded.items()}
    return sorted(path for path, value in padded.items() if hashes.get(path, value) != value)


def told(distribution: metadata.Distribution, hashes: Mapping[str, str]) -> dict[str, Any]:
    """What a distribution says of itself, and what of others it brings along."""
    said = distribution.metadata
    one = {key: "".join(said.get_all(key) or []) for key in ("Name", "License-Expression", "License", "Summary")}
    there = [str(each) for each in distribution.files or [] if str(each) in hashes]
    return {
        "name": one["Name"],
        "version": distribution.version,
        "summary": one["Summary"],
        "expression": one["License-Expression"],
        "words": one["License"],
        "classifiers": [each for each in said.get_all("Classifier") or [] if each.startswith("License :: ")],
        "libraries": {path: hashes[path] for path in there if path.partition("/")[0].endswith(".libs")},
        "sboms": [json.loads((LIB / path).read_text()) for path in there if ".dist-info/sboms/" in path],
        "changed": changed(distribution, hashes),
    }


def debian(status: str) -> Iterator[dict[str, str]]:
    """Each package that dpkg's status file calls installed, and what it depends on in Debian's words."""
    for paragraph in status.split("\n\n"):
        package = message_from_string(paragraph)
        if package["Status"] == "install ok installed":
            about = {key: package[key.title()] for key in ("package", "version", "architecture")}
            yield {**about, "depends": package["Depends"] or ""}


def added(folder: Path, doc: Path) -> dict[str, bool]:
    """Packages that the base hasn't in this version, and whether their licence is there; none if that isn't known."""
    before = folder / "status-base"
    if not before.exists():
        return {}
    base = {(each["package"], each["version"]) for each in debian(before.read_text())}
    there = ((each["package"], each["version"]) for each in debian((folder / "status").read_text()))
    return {each[0]: (doc / each[0] / "copyright").exists() for each in there if each not in base}


def main() -> None:
    """Look and print."""
    lib, app = files(LIB), files(APP)
    base = metadata.distributions(path=[sysconfig.get_path("purelib")])
    contents = {
        "python": platform.python_version(),
        "system": platform.freedesktop_os_release(),
        "debian": list(debian((DPKG / "status").read_text())),
        "added": added(DPKG, DOC),
        "base": [told(each, {}) for each in base],
        "distributions": [told(each, lib) for each in metadata.distributions(path=[str(LIB)])],
        "code": sorted({path.partition("/")[0] for path in app}),
        "digests": {str(folder): digest(folder, found) for folder, found in ((LIB, lib), (APP, app)) if found},
    }
    json.dump(contents, sys.stdout)


if __name__ == "__main__":
    main()
