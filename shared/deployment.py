"""Where this process runs, and how the commands that messages name are typed there.

Messages name commands as they are typed beside the embedded stack. Who shows a message to people passes it through
`typed`, so that what is named can be typed.
"""

import os
import re

VARIABLE = "PLUMBLINE_DEPLOYMENT"
COMPOSE = "compose"

_OPERATOR = "docker compose run --rm ops"
# What starts with the first that fits; the last one is for every other command of the operator's.
_IN_CONTAINERS = (
    (re.compile(r"\bplumbline up --only ([\w,]+)"), "docker compose up -d {}"),
    (re.compile(r"\bplumbline up\b"), "docker compose up -d"),
    (re.compile(r"\bplumbline down\b"), "docker compose down"),
    (re.compile(r"\bplumbline reset\b"), "docker compose down -v"),
    (re.compile(r"\bplumbline demo\b|\bmake demo\b(?!-)"), "make demo-docker"),
    (re.compile(r"\bpip install 'plumbline\[otel\]'"), "PLUMBLINE_EXTRA=otel docker compose up --build -d"),
    (re.compile(r"\bpython -m shared\.(?:topics|migrations)\b"), "docker compose up migrate"),
    (re.compile(r"\bpython -m simulator\b"), "docker compose run --rm simulator"),
    (re.compile(r"\bplumbline (?=[a-z])"), f"{_OPERATOR} "),
)


def composed() -> bool:
    """Whether this is a container of docker-compose.yml."""
    return os.environ.get(VARIABLE) == COMPOSE


def typed(text: str) -> str:
    """The text with its commands as they are typed where this runs."""
    return contained(text) if composed() else text


def contained(text: str) -> str:
    """The text with its commands for a stack in containers."""
    for pattern, form in _IN_CONTAINERS:
        text = pattern.sub(lambda found, form=form: form.format(*_words(found)), text)  # type: ignore[misc]
    return text


def _words(found: re.Match[str]) -> list[str]:
    return [group.replace(",", " ") for group in found.groups()]
