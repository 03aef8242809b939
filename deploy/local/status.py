"""What runs of a stack, and whether it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psutil
import psycopg

from deploy.local import environment, java, kafka, monitoring, postgres, process, services
from deploy.local.environment import conninfo
from deploy.local.stack import DEFAULT_PARTS, PARTS
from shared.version import VERSION

# What stack.env has more than the metrics' address of.
WITH_URL = ("api", "front", "prometheus", "alertmanager", "grafana")
State = Literal["running", "not ready", "not answering", "stopped"]


@dataclass(frozen=True)
class Part:
    """One server or service. `pid`, `version` are None where it doesn't run (`pid` in containers too), `url` where it
    has no port yet, `problem` unless it says what it lacks. `optional`: nothing is wrong if it doesn't run; `replicas`:
    how many of it answer to its name."""

    name: str
    state: State
    pid: int | None
    url: str | None
    version: str | None
    problem: str | None = None
    optional: bool = False
    replicas: int = 1


def parts(home: Path) -> list[Part]:
    """Every part, in the order of its start; asks each that runs."""
    values, running = environment.read(home), process.find(home)
    found = [_part(name, values, running.get(name, [])) for name in PARTS]
    return [replace(part, optional=part.name not in DEFAULT_PARTS) for part in found]


def _part(name: str, values: Mapping[str, str], processes: Sequence[psutil.Process]) -> Part:
    url = address(name, values)
    if not processes:
        absent = name in monitoring.MONITORS and monitoring.program(name) is None
        return Part(name, "stopped", None, None if absent else url, None, "not installed" if absent else None)
    found = troubles(name, values) if process.healthy(processes) and url is not None else None
    if found is None:
        return Part(name, "not answering", processes[0].pid, url, None)
    problem = "; ".join(services.in_words(found)) or None
    return Part(name, "not ready" if problem else "running", processes[0].pid, url, _version(name, values), problem)


def address(name: str, values: Mapping[str, str]) -> str | None:
    """Where the part listens, as a person would want to see it."""
    if name == "kafka":
        return values.get("KAFKA_BOOTSTRAP_SERVERS")
    if name == "postgres":
        port = values.get("DB_PORT")
        return f"postgresql://{values['DB_USER']}@{values['DB_HOST']}:{port}/{values['DB_NAME']}" if port else None
    variable = f"{name.upper()}_URL" if name in WITH_URL else f"METRICS_URL_{name.upper()}"
    return values.get(variable)


def troubles(name: str, values: Mapping[str, str]) -> dict[str, str] | None:
    """What the part lacks to do its work right now, by asking it; None: it doesn't answer."""
    if name == "kafka":
        host, _, port = values["KAFKA_BOOTSTRAP_SERVERS"].rpartition(":")
        return {} if kafka.answers(int(port), host) else None
    if name == "postgres":
        return {} if postgres.answers(conninfo(values)) else None
    if name in monitoring.MONITORS:
        return services.troubles(monitoring.ready_url(name, values))
    return services.troubles(services.ready_url(name, values))


def _version(name: str, values: Mapping[str, str]) -> str | None:
    if name == "kafka":
        return java.KAFKA_VERSION
    if name == "postgres":
        return postgres_version(values)
    if name in monitoring.MONITORS:
        return monitoring.version(name, values)
    return VERSION


def postgres_version(values: Mapping[str, str]) -> str | None:
    """What the server says."""
    with psycopg.connect(conninfo(values)) as connection:
        return connection.info.parameter_status("server_version")
