"""What of a stack in containers answers, asked over its network: which containers there are, only the engine knows."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from deploy.docker import replicas
from deploy.docker.published import published
from deploy.local import monitoring, services, status
from deploy.local.status import Part, State
from shared.version import VERSION

# The services of docker-compose.yml that stay, in the order of their start; the optional ones are those with a profile.
SERVICES = (
    "kafka", "postgres", "alertmanager", "node-exporter", "prometheus", "grafana",
    "ingestion", "aggregation", "api", "front", "simulator",
)  # fmt: skip
# Where those answer that the embedded stack doesn't have.
_ASKED = {"front": "/healthz", "grafana": "/api/health"}
OPTIONAL = frozenset({"alertmanager", "node-exporter", "prometheus", "grafana", "simulator"})

Trouble = Mapping[str, str] | None


def parts(values: Mapping[str, str]) -> list[Part]:
    """Every service; asks each container of it that runs."""
    with ThreadPoolExecutor(len(SERVICES)) as threads:  # the silence of one isn't added to another's
        return list(threads.map(lambda name: _part(name, values), SERVICES))


def _part(name: str, values: Mapping[str, str]) -> Part:
    shown = status.address(_known(name), {**values, **published(values, os.environ)})
    part = judged(name, shown, _asked(name, values))
    return part if part.state in ("stopped", "not answering") else replace(part, version=_version(name, values))


def _asked(name: str, values: Mapping[str, str]) -> list[Trouble]:
    """What each container lacks; none where nothing has that name."""
    if name in ("kafka", "postgres"):
        return [status.troubles(name, values)] if replicas.addresses(name) else []
    return [services.troubles(each) for each in replicas.each(_ready_url(_known(name), values))]


def _ready_url(name: str, values: Mapping[str, str]) -> str:
    if name in _ASKED:
        return f"{values[f'{name.upper()}_URL']}{_ASKED[name]}"
    monitor = name in monitoring.MONITORS
    return monitoring.ready_url(name, values) if monitor else services.ready_url(name, values)


def _known(name: str) -> str:
    """The service as the embedded stack calls it."""
    return "node" if name == "node-exporter" else name


def judged(name: str, url: str | None, found: Sequence[Trouble]) -> Part:
    """The part, from what each of its containers lacks (None: it doesn't answer)."""
    part = Part(name, "stopped", None, url, None, optional=name in OPTIONAL, replicas=len(found))
    if not found:
        return part
    silent = sum(trouble is None for trouble in found)
    if silent == len(found):
        return replace(part, state="not answering")
    problems = {text: None for trouble in found if trouble for text in services.in_words(trouble)}
    if silent:
        restart = f"docker compose restart {name}"
        problems |= {f"{silent} of {len(found)} containers don't answer → {restart}": None}
    state: State = "not ready" if problems else "running"
    return replace(part, state=state, problem="; ".join(problems) or None)


def _version(name: str, values: Mapping[str, str]) -> str | None:
    """Kafka and Grafana don't tell; our own images are made at once."""
    if name == "postgres":
        return status.postgres_version(values)
    if _known(name) in monitoring.MONITORS:
        return monitoring.version(_known(name), values)
    return VERSION if name in services.MODULES else None
