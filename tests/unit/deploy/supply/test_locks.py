"""Which distributions of a lock an image installs."""

import pytest

from deploy.supply import images, locks

LOCK = """\
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:{a}
    # via click
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:{a}
    # via plumbline (pyproject.toml)
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:{b} \\
    --hash=sha256:{c}
    # via
    #   plumbline (pyproject.toml)
    #   Some.Thing
""".format(a="a" * 64, b="b" * 64, c="c" * 64)


def test_markers_choose_with_the_images_python_and_not_with_this_one() -> None:
    newer = locks.Locked("numpy", "2.5.5", ("b" * 64, "c" * 64), ("plumbline", "some-thing"))
    assert list(locks.parse(LOCK, "3.13")) == [newer]
    assert [each.version for each in locks.parse(LOCK, "3.11")] == ["2.4.6"]


def test_what_is_not_pinned_is_refused() -> None:
    assert list(locks.parse("numpy>=2\n", "3.13")) == []
    with pytest.raises(ValueError, match="not a pinned"):
        list(locks.parse("numpy==\n", "3.13"))


def test_the_python_is_the_dockerfiles() -> None:
    assert locks.python_version("FROM x\nARG PYTHON=python:3.14-slim-bookworm\n") == "3.14"
    with pytest.raises(ValueError, match="ARG PYTHON"):
        locks.python_version("FROM python:3.13\n")


@pytest.mark.parametrize("service", [*images.SERVICES, images.OPTIONAL])
def test_every_lock_can_be_read(service: str) -> None:
    found = locks.installed(service)
    names = {each.name for each in found}
    assert "numpy" in names
    assert all(each.hashes and each.parents for each in found)
    assert {parent for each in found for parent in each.parents} <= names | {"plumbline"}
