"""Every secret that this stack has, so that none of them can be found in a bundle."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
from pydantic import SecretStr

from deploy.local import environment, process
from ops.bundle.redaction import secret_name
from ops.env_example import GROUPS

_PEM_LINE = re.compile(r"^[A-Za-z0-9+/=]{16,}$", re.MULTILINE)
SHORTEST = 4  # what is shorter keeps nobody out, and is in every text
_SWITCHES = {"true", "false", "none", "null"}  # of variables such as TOKEN_CHECKS
_FILES = ("postgres.password", "issuer-key.pem")


def secret_variables() -> frozenset[str]:
    """The settings that are SecretStr."""
    return frozenset(
        name.upper()
        for _, group in GROUPS
        for name, field in group.model_fields.items()
        if isinstance(field.default, SecretStr) or "SecretStr" in str(field.annotation)
    )


def setting_names() -> frozenset[str]:
    """All settings, with the files that may hold them."""
    names = {name.upper() for _, group in GROUPS for name in group.model_fields}
    return frozenset(names | {f"{name}_FILE" for name in names})


def known(home: Path) -> set[str]:
    """The values of secrets: of stack.env, of this shell, of the stack's processes, and of the files that they name."""
    found: set[str] = set()
    for values in (environment.read(home), os.environ, *environments(home).values()):
        found.update(_of(values))
    for name in _FILES:
        found.update(_in_file(home / name))
    return {value for value in found if len(value) >= SHORTEST and value.lower() not in _SWITCHES}


def environments(home: Path) -> dict[str, dict[str, str]]:
    """The environment of each process of the stack, by part."""
    found = {}
    for name, processes in process.find(home).items():
        try:
            found[name] = processes[0].environ()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it ended meanwhile
    return found


def _of(values: Mapping[str, str]) -> Iterator[str]:
    secret = secret_variables()
    for name, value in values.items():
        if name in secret or secret_name(name):
            yield value
        elif name.endswith("_FILE") and (name.removesuffix("_FILE") in secret or secret_name(name[:-5])):
            yield from _in_file(Path(value))


def _in_file(file: Path) -> Iterator[str]:
    """The file's text, and a key's lines, each of which alone would be too much."""
    try:
        text = file.read_text(errors="replace").strip()
    except OSError:
        return
    yield text
    yield from _PEM_LINE.findall(text)
