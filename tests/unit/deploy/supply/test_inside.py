"""What a look into an image tells of files, wheels and packages."""

import hashlib
from base64 import urlsafe_b64encode
from importlib import metadata
from pathlib import Path

import pytest

from deploy.supply import inside

STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Depends: libgcc-s1, libcrypt1 (>= 1:4.4)
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


@pytest.fixture
def lib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one wheel's files."""
    content = b"x = 1\n"
    recorded = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    info = tmp_path / "One-1.dist-info"
    (info / "sboms").mkdir(parents=True)
    (tmp_path / "one.libs").mkdir()
    (tmp_path / "one.py").write_bytes(content)
    (tmp_path / "one.libs/libx.so").write_bytes(b"elf")
    (info / "sboms/a.cdx.json").write_text('{"components": []}')
    (info / "METADATA").write_text("Name: One\nVersion: 1\nLicense-Expression: MIT\n")
    lines = [
        f"one.py,sha256={recorded},6",
        f"removed.py,sha256={recorded},6",
        "one.libs/libx.so,,",
        "One-1.dist-info/METADATA,,",
    ]
    (info / "RECORD").write_text("\n".join([*lines, "One-1.dist-info/sboms/a.cdx.json,,"]) + "\n")
    monkeypatch.setattr(inside, "LIB", tmp_path)
    return tmp_path


def look(lib: Path) -> dict[str, object]:
    (one,) = metadata.distributions(path=[str(lib)])
    return inside.told(one, inside.files(lib))


def test_a_distribution_is_told_with_what_it_brings_along(lib: Path) -> None:
    told = look(lib)
    assert (told["name"], told["version"], told["expression"]) == ("One", "1", "MIT")
    assert told["libraries"] == {"one.libs/libx.so": hashlib.sha256(b"elf").hexdigest()}
    assert told["sboms"] == [{"components": []}]
    assert told["changed"] == []


def test_a_file_that_was_changed_is_told(lib: Path) -> None:
    (lib / "one.py").write_text("x = 2\n")
    assert look(lib)["changed"] == ["one.py"]


def test_the_digest_is_of_names_modes_and_contents(tmp_path: Path) -> None:
    digests = set()
    for name, mode, content in (
        ("a", 0o644, "x"),
        ("b", 0o644, "x"),
        ("a", 0o755, "x"),
        ("a", 0o644, "y"),
        ("a", 0o644, "x"),
    ):
        path = tmp_path / name
        path.write_text(content)
        path.chmod(mode)
        digests.add(inside.digest(tmp_path, inside.files(tmp_path)))
        path.unlink()
    assert len(digests) == 4


def test_packages_that_are_removed_are_no_packages() -> None:
    libc = {
        "package": "libc6",
        "version": "2.36-9",
        "architecture": "amd64",
        "depends": "libgcc-s1, libcrypt1 (>= 1:4.4)",
    }
    assert list(inside.debian(STATUS)) == [libc]


def test_what_is_over_the_base_is_new_or_newer_there(tmp_path: Path) -> None:
    old = STATUS.replace("2.36-9", "2.36-8")
    (tmp_path / "libc6").mkdir()
    (tmp_path / "libc6/copyright").touch()
    (tmp_path / "status").write_text(STATUS)
    assert inside.added(tmp_path, tmp_path) == {}, "it isn't known"
    for base, expected in ((STATUS, {}), (old, {"libc6": True}), ("", {"libc6": True})):
        (tmp_path / "status-base").write_text(base)
        assert inside.added(tmp_path, tmp_path) == expected
    (tmp_path / "libc6/copyright").unlink()
    assert inside.added(tmp_path, tmp_path) == {"libc6": False}
