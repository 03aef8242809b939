"""stack.env: a stack's addresses and secrets, in the variables that the services read and a shell can source."""

import os
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.ports import DEFAULTS, HOST
from shared.errors import PlumblineError
from shared.settings import DatabaseSettings

ROLES = {
    "ingestion": "plumbline_ingestion",
    "aggregation": "plumbline_aggregation",
    "api": "plumbline_api",
    "readonly": "plumbline_readonly",
}
OWNER = "plumbline"


def file(home: Path) -> Path:
    return home / "stack.env"


def render(values: Mapping[str, str]) -> str:
    """Lines that a POSIX shell reads back as the same values, and hands on to the programs that it starts."""
    lines = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    return f"set -a\n{lines}set +a\n"


def parse(text: str) -> dict[str, str]:
    """The values of `render`'s lines."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name: "".join(shlex.split(value)) for name, _, value in pairs}


def read(home: Path) -> dict[str, str]:
    """The stack's values; none before its first start."""
    try:
        return parse(file(home).read_text())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise PlumblineError(
            f"{file(home)} can't be read ({error.strerror}) → run this as the user who started the stack"
        ) from None


def require(home: Path) -> dict[str, str]:
    """The stack's values, for a command that needs a stack that was started."""
    values = read(home)
    if not values:
        raise PlumblineError(f"there is no stack in {home} → plumbline up, or set PLUMBLINE_HOME")
    return values


def write(home: Path, values: Mapping[str, str]) -> None:
    """Replace stack.env as a whole, readable by its owner only."""
    home.mkdir(parents=True, exist_ok=True)
    scratch = home / "stack.env.new"
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as target:
        target.write(render(values))
    scratch.replace(file(home))


def with_secrets(values: Mapping[str, str], home: Path) -> dict[str, str]:
    """The values with what a stack is given once: names, passwords, the built-in issuer's files."""
    given = {
        "DB_HOST": HOST,
        "DB_USER": OWNER,
        "DB_PASSWORD": secrets.token_urlsafe(24),
        "DB_NAME": OWNER,
        **{f"{role.upper()}_PASSWORD": secrets.token_urlsafe(24) for role in ROLES.values()},
        "AUTH_ISSUER": "plumbline",
        "JWT_AUDIENCE": "plumbline",
        "AUTH_CLIENT_ID": "plumbline-demo",
        "AUTH_CLIENT_SECRET": secrets.token_urlsafe(32),
        "RECEIPT_KEY": secrets.token_urlsafe(32),
    }
    files = {
        "AUTH_SIGNING_KEY_FILE": str(home / "issuer-key.pem"),
        "AUTH_CLIENTS_FILE": str(home / "issuer-clients.json"),
    }
    return {**given, **values, **files}


def addresses(ports: Mapping[str, int]) -> dict[str, str]:
    """The variables that say where the servers with these ports are."""
    made = {}
    for name, port in ports.items():
        match name:
            case "kafka":
                made["KAFKA_BOOTSTRAP_SERVERS"] = f"{HOST}:{port}"
            case "kafka-controller":
                made["KAFKA_CONTROLLER_PORT"] = str(port)
            case "postgres":
                made["DB_PORT"] = str(port)
            case "api":
                made |= {"API_HOST": HOST, "API_PORT": str(port), "API_URL": f"http://{HOST}:{port}"}
            case "prometheus" | "alertmanager":
                made[f"{name.upper()}_URL"] = f"http://{HOST}:{port}"
            case _:
                made[_metrics(name)] = f"http://{HOST}:{port}/metrics"
    return made


def _metrics(name: str) -> str:
    return f"METRICS_URL_{name.removeprefix('metrics-').upper()}"


def ports(values: Mapping[str, str]) -> dict[str, int]:
    """The ports that `addresses` was given, read back."""
    known: dict[str, str | int | None] = {
        "kafka": values.get("KAFKA_BOOTSTRAP_SERVERS", "").rpartition(":")[2],
        "kafka-controller": values.get("KAFKA_CONTROLLER_PORT"),
        "postgres": values.get("DB_PORT"),
        "api": values.get("API_PORT"),
    }
    for name in DEFAULTS:
        if name not in known:
            variable = _metrics(name) if name.startswith("metrics-") else f"{name.upper()}_URL"
            known[name] = urlsplit(values.get(variable, "")).port
    return {name: int(port) for name, port in known.items() if port}


def conninfo(values: Mapping[str, str]) -> str:
    """libpq's connection string for the owner of the stack with these variables of stack.env."""
    fields = {name.lower(): value for name, value in values.items() if name.startswith("DB_")}
    return DatabaseSettings.model_validate({"database_url": "", **fields}).conninfo("plumbline-operator")
