"""Files with secrets: replaced as a whole, readable by those who could read them before, changed by one at a time."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_READABLE = stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """One command at a time changes files of this file's folder."""
    folder = os.open(file.resolve().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def replace(file: Path, content: bytes) -> None:
    """Puts the content there at once: who reads it meanwhile, and who is killed here, finds the old or the new.

    A new file is its owner's only; one that is replaced keeps its owner and its group's right to read.
    """
    target = file.resolve()
    scratch = target.with_name(f"{target.name}.new")
    scratch.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
            output.write(content)
            output.flush()
            if target.exists():
                _same_readers(output.fileno(), target.stat())
            os.fsync(output.fileno())
        scratch.replace(target)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _same_readers(descriptor: int, before: os.stat_result) -> None:
    if (before.st_uid, before.st_gid) != (os.getuid(), os.getgid()):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode) & _READABLE)
