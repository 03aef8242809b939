"""What the stack needs of this machine, and what of it is amiss, each with the command that mends it."""

import os
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
import psycopg

from deploy.local import environment, java, monitoring, packages, ports, status
from deploy.local.environment import conninfo
from shared.errors import PlumblineError

State = Literal["ok", "note", "broken"]
GIB = 1024**3
LEAST_DISK = 2 * GIB
LEAST_MEMORY = int(1.5 * GIB)
MOST_CLOCK_SKEW_S = 1.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `mend` is the command to run; empty when nothing is to be done."""

    name: str
    state: State
    detail: str
    mend: str = ""


def examine(home: Path) -> list[Finding]:
    """All findings about the machine and the stack in `home`."""
    values, parts = environment.read(home), status.parts(home)
    running = any(part.state != "stopped" for part in parts)
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    return [
        _java(),
        _maven(),
        *(_program(name) for name in monitoring.MONITORS),
        disk(shutil.disk_usage(existing).free, home),
        memory(psutil.virtual_memory().available, running=running),
        compared_clock(values, parts, home),
        *port_findings(ports.DEFAULTS | environment.ports(values), values, parts),
        *(part_finding(part, known=part.url is not None, stack_runs=running) for part in parts),
    ]


def _java() -> Finding:
    try:
        runtime = java.runtime()
    except PlumblineError as error:
        return Finding("java", "broken", str(error).partition(" → ")[0], packages.command("default-jre-headless"))
    return Finding("java", "ok", f"{java.major(runtime)} ({runtime})")


def _maven() -> Finding:
    """Maven is needed once: to fetch the broker's jars."""
    if java.folder().is_dir():
        return Finding("kafka jars", "ok", f"{java.KAFKA_VERSION} ({java.folder()})")
    if shutil.which("mvn"):
        return Finding("kafka jars", "note", "not fetched yet", "make setup")
    mend = "make setup" if os.geteuid() == 0 else packages.command("maven")
    return Finding("kafka jars", "broken", "not fetched yet, and Maven isn't installed", mend)


def _program(name: str) -> Finding:
    binary = monitoring.program(name)
    if binary:
        return Finding(f"{name} program", "ok", binary)
    mend = monitoring.command(name)
    return Finding(f"{name} program", "note", "not installed; the stack runs without it", mend)


def disk(free: int, home: Path, mend: str = "PLUMBLINE_HOME=… make up") -> Finding:
    """Judge the free bytes under the home."""
    detail = f"{free / GIB:.1f} GiB free for {home}"
    if free < LEAST_DISK:
        return Finding("disk", "broken", f"{detail}; {LEAST_DISK / GIB:.0f} are needed", mend)
    return Finding("disk", "ok", detail)


def memory(available: int, *, running: bool) -> Finding:
    """Judge the available bytes; a stack that runs has taken its share already."""
    detail = f"{available / GIB:.1f} GiB available"
    if not running and available < LEAST_MEMORY:
        return Finding("memory", "broken", f"{detail}; {LEAST_MEMORY / GIB:.1f} are needed", "plumbline down")
    return Finding("memory", "ok", detail)


def compared_clock(values: Mapping[str, str], parts: Iterable[status.Part], home: Path) -> Finding:
    """Compare our clock with the database's, or without one with the time that stack.env was written."""
    if any(part.name == "postgres" and part.state == "running" for part in parts):
        with psycopg.connect(conninfo(values)) as connection:
            before = time.time()
            row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
            skew = float(row[0] if row else 0) - (before + time.time()) / 2
        return clock(abs(skew), "the database's clock")
    written = environment.file(home).stat().st_mtime if values else 0.0
    return clock(max(0.0, written - time.time()), "the time that stack.env was written")


def clock(skew_s: float, other: str) -> Finding:
    """Judge how far our clock is from another."""
    if skew_s > MOST_CLOCK_SKEW_S:
        return Finding("clock", "broken", f"{skew_s:.1f} s away from {other}", "sudo timedatectl set-ntp true")
    return Finding("clock", "ok", f"agrees with {other}")


def port_findings(
    wished: Mapping[str, int], values: Mapping[str, str], parts: Iterable[status.Part]
) -> Iterable[Finding]:
    """A port that a stranger holds is no fault: `up` takes another one."""
    ours = set(environment.ports(values))
    runs = {part.name for part in parts if part.state != "stopped"}
    for name, port in wished.items():
        part = name.removeprefix("metrics-").removesuffix("-controller")
        if part in runs and name in ours:
            yield Finding(f"port {port}", "ok", f"{name}, in use by this stack")
        elif ports.listening(port):
            yield Finding(f"port {port}", "note", f"{name}: taken by another process; `up` will choose another")
        else:
            yield Finding(f"port {port}", "ok", f"{name}, free")


def part_finding(part: status.Part, *, known: bool, stack_runs: bool) -> Finding:
    """A part is broken when it doesn't answer, or is gone though it was started and the others run."""
    up = f"plumbline up --only {part.name}"
    match part.state:
        case "running":
            return Finding(part.name, "ok", f"{part.version or 'answers'} at {part.url}")
        case "not ready":
            return Finding(part.name, "broken", f"isn't ready: {part.problem}")
        case "not answering":
            if part.pid is None:
                again = f"docker compose restart {part.name}"
                return Finding(part.name, "broken", f"doesn't answer at {part.url}", again)
            return Finding(part.name, "broken", f"process {part.pid} doesn't answer at {part.url}", up)
    if part.problem:
        return Finding(part.name, "note", f"stopped: {part.problem}", monitoring.command(part.name))
    if stack_runs and known and not part.optional:
        return Finding(part.name, "broken", "stopped, while other parts of the stack run", up)
    mend = up if stack_runs or part.optional else "plumbline up"
    return Finding(part.name, "note", "stopped", mend)
