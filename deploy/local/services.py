"""Plumbline's own processes: which module, under which role, with which settings."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import psutil

from deploy.local import process
from deploy.local.environment import ROLES
from deploy.local.home import log_file
from deploy.local.ports import HOST, Claim

MODULES = {
    "ingestion": "ingestion_service",
    "aggregation": "aggregation_service",
    "api": "api_service",
    "simulator": "simulator",
}
READY_S = 60.0
PATIENCE_S = 10.0
# What the API's readiness calls the servers of a stack.
_SERVERS = {"database": "postgres", "kafka": "kafka"}
_OTHERS = {f"{role.upper()}_PASSWORD" for role in ROLES.values()}


def settings(
    name: str,
    values: Mapping[str, str],
    caller: Mapping[str, str],
    *,
    part: bool,
    before: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The environment of service `name`: the caller's, the stack's addresses, and the service's own role.

    For a part of a stack (`up --only`) what the caller set wins: a proxy's address, another role. What equals
    stack.env, now or `before`, is not the caller's wish: a shell that has sourced it must not make services run as
    the owner.
    """
    sourced = [values, before or {}]
    role = ROLES.get(name)
    own = {"DB_USER": role, "DB_PASSWORD": values[f"{role.upper()}_PASSWORD"]} if role else {}
    embedded = {"DATABASE_URL": "", "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT", "JWT_ISSUER": "", "JWT_JWKS_URL": ""}
    stack = {key: value for key, value in {**embedded, **values, **own}.items() if key not in _OTHERS}
    wished = {key for key, value in caller.items() if part and all(value != known.get(key) for known in sourced)}
    wished |= {key.removesuffix("_FILE") for key in wished if key.endswith("_FILE")}
    ours = {key: value for key, value in stack.items() if key not in wished}
    return {key: value for key, value in caller.items() if key.removesuffix("_FILE") not in ours} | ours


def start(
    home: Path, name: str, env: Mapping[str, str], claims: Mapping[str, Claim], arguments: Sequence[str] = ()
) -> psutil.Process:
    """Start the service; `wait` says when it is ready."""
    own = {"METRICS_HOST": HOST, "METRICS_PORT": str(claims[f"metrics-{name}"].port), "PYTHONUNBUFFERED": "1"}
    if name == "api":
        own |= {"API_HOST": HOST, "API_PORT": str(claims["api"].port)}
    argv = [sys.executable, "-m", MODULES[name], *arguments]
    locks = [claim.lock for claim in claims.values()]
    return process.spawn(home, name, argv, {**env, **own}, keep_open=locks)


def start_job(home: Path, name: str, values: Mapping[str, str], arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a simulator that ends by itself; its exit status says whether it sent everything."""
    log = log_file(home, name)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", MODULES["simulator"], *arguments],
            env={**settings("simulator", values, os.environ, part=False), **process.marks(home, name)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait(home: Path, name: str, service: psutil.Process, url: str, servers: Collection[str]) -> list[str]:
    """Until the service says on `url` that it is ready, or lacks no more than servers that the stack runs without.

    One that is up and lacks something else, such as a decision about a partition, is left to run after PATIENCE_S;
    returned is what it lacks then.
    """
    patient_until = time.monotonic() + PATIENCE_S
    last: dict[str, str] = {}

    def ready() -> bool:
        found = troubles(url)
        if found is None:
            return False
        last.clear()
        last.update({what: text for what, text in found.items() if what not in _SERVERS or _SERVERS[what] in servers})
        return not last or (not _SERVERS.keys() & last.keys() and time.monotonic() > patient_until)

    process.wait_ready(home, name, service, ready, READY_S)
    return in_words(last)


def in_words(lacking: Mapping[str, str]) -> list[str]:
    """`troubles` for a person, a text each."""
    return [f"{what}: {detail}" if detail else what for what, detail in lacking.items()]


def answers(url: str) -> bool:
    """Whether what is asked there answers, and is ready."""
    return troubles(url) == {}


def troubles(url: str) -> dict[str, str] | None:
    """What a service on `url` says that it lacks: details by name, or whole texts without details; none when it is
    ready. None: it doesn't answer."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  a URL that we made
            return {} if answer.status == 200 else None
    except urllib.error.HTTPError as refusal:
        with refusal:
            return _named(refusal)
    except (urllib.error.URLError, OSError):
        return None


def _named(refusal: urllib.error.HTTPError) -> dict[str, str] | None:
    """The errors of the API's problem details, or the problems of the other services."""
    try:
        found = json.load(refusal)
        if "problems" in found:
            return {str(problem): "" for problem in found["problems"]}
        return {error["field"]: error["detail"] for error in found["errors"]}
    except (OSError, ValueError, LookupError, TypeError):
        return None


def ready_url(name: str, values: Mapping[str, str]) -> str:
    """Where a service says whether it is ready: the API beside its routes, the others beside their metrics."""
    base = values["API_URL"] if name == "api" else values[f"METRICS_URL_{name.upper()}"].removesuffix("/metrics")
    return f"{base}/readyz"
