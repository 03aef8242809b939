"""Prometheus, Alertmanager and the node exporter, where the machine has them; the stack works without.

Their configuration is `prometheus.py`'s and deploy/prometheus/.
"""

import os
import re
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.local import packages, process, prometheus, services
from deploy.local.home import CHECKOUT
from deploy.local.ports import HOST, Claim
from shared.errors import PlumblineError

READY_S = 60.0
RELOAD_S = 10.0
ROUTES = CHECKOUT / "deploy" / "prometheus" / "alertmanager.yml"


@dataclass(frozen=True)
class Monitor:
    """One optional part: its Debian package, the names that its program goes by, and how it is started.

    `arguments`: from the home and the part's own URL. `ready`: the path that answers 200. `reloads`: what its metrics
    call the state of its configuration; None: it has none.
    """

    package: str
    programs: Sequence[str]
    arguments: Callable[[Path, str], Sequence[str]]
    ready: str
    reloads: str | None


def _prometheus(home: Path, url: str) -> Sequence[str]:
    return (
        f"--config.file={prometheus.file(home)}",
        f"--storage.tsdb.path={home / 'prometheus'}",
        "--storage.tsdb.retention.size=2GB",
        f"--web.external-url={url}/",
        # An alert that fires before the Alertmanager is known, or while it is away, is told it soon after.
        "--rules.alert.resend-delay=15s",
    )


def _alertmanager(home: Path, url: str) -> Sequence[str]:
    return (
        f"--config.file={ROUTES}",
        f"--storage.path={home / 'alertmanager'}",
        "--cluster.listen-address=",  # one of it has nobody to talk to
        f"--web.external-url={url}/",
    )


def _node(_home: Path, _url: str) -> Sequence[str]:
    wanted = ("cpu", "diskstats", "filesystem", "loadavg", "meminfo")
    return (
        "--collector.disable-defaults",
        *(f"--collector.{name}" for name in wanted),
        # By default data disks under /mnt and a container's own disk, an overlay, would be left out.
        "--collector.filesystem.mount-points-exclude=^/(dev|proc|run|sys|var/lib/(docker|containers/storage)/.+)($|/)",
        "--collector.filesystem.fs-types-exclude=^(autofs|cgroup2?|devpts|devtmpfs|mqueue|nsfs|proc|squashfs|sysfs)$",
        "--web.disable-exporter-metrics",
    )


MONITORS = {
    "alertmanager": Monitor(
        "prometheus-alertmanager",
        ("prometheus-alertmanager", "alertmanager"),
        _alertmanager,
        "/-/ready",
        "alertmanager_config_last_reload",
    ),
    "node": Monitor("prometheus-node-exporter", ("prometheus-node-exporter", "node_exporter"), _node, "/", None),
    "prometheus": Monitor("prometheus", ("prometheus",), _prometheus, "/-/ready", "prometheus_config_last_reload"),
}


def program(name: str) -> str | None:
    """Where the part's program is; None: it isn't installed."""
    found = (shutil.which(candidate) for candidate in MONITORS[name].programs)
    return next((path for path in found if path), None)


def missing() -> list[str]:
    """The parts that this machine hasn't."""
    return [name for name in MONITORS if program(name) is None]


def install(names: Sequence[str]) -> bool:
    """Install the parts' Debian packages if that is possible here."""
    return packages.install_without_services(*(MONITORS[name].package for name in names))


def command(*names: str) -> str:
    """What installs the parts, for a person who may."""
    wanted = " ".join(MONITORS[name].package for name in names)
    if shutil.which("apt-get"):
        return f"sudo {sys.executable} -B -m deploy.local.packages {wanted}"
    return f"install {', '.join(MONITORS[name].programs[-1] for name in names)} so that PATH has them"


def url(name: str, values: Mapping[str, str]) -> str:
    """The part's address."""
    if name == "node":
        return values["METRICS_URL_NODE"].removesuffix("/metrics")
    return values[f"{name.upper()}_URL"]


def start(home: Path, name: str, values: Mapping[str, str], claim: Claim) -> psutil.Process:
    """Start the part with its data in the home; `wait` says when it answers."""
    binary = program(name)
    if binary is None:
        raise PlumblineError(f"{name} vanished while the stack was starting → {command(name)}")
    argv = [
        binary,
        *MONITORS[name].arguments(home, url(name, values)),
        f"--web.listen-address={HOST}:{claim.port}",
        "--log.level=warn",
    ]
    return process.spawn(home, name, argv, os.environ, keep_open=(claim.lock,))


def wait(home: Path, name: str, server: psutil.Process, values: Mapping[str, str]) -> None:
    process.wait_ready(home, name, server, lambda: services.answers(ready_url(name, values)), READY_S)


def ready_url(name: str, values: Mapping[str, str]) -> str:
    return f"{url(name, values)}{MONITORS[name].ready}"


def page(values: Mapping[str, str], name: str) -> str:
    """Prometheus' page `alerts`, `rules`, `targets` or `graph` for a person; Debian has the classic ones only."""
    base = values["PROMETHEUS_URL"]
    classic = f"{base}/classic/{name}"
    return classic if services.answers(classic) else f"{base}/{name}"


def version(name: str, values: Mapping[str, str]) -> str | None:
    """The version of the part that runs; all three have it in their metrics."""
    build = re.search(r'^\w+_build_info\{.*\bversion="([^"]*)"', _metrics(name, values), re.MULTILINE)
    return build[1] if build else None


def reload(name: str, server: psutil.Process, values: Mapping[str, str]) -> str | None:
    """Have a part that runs read its configuration and rules again; returns what is wrong if it couldn't."""
    prefix = MONITORS[name].reloads
    if prefix is None:
        return None
    asked, before = time.time(), _state(name, prefix, values)
    server.send_signal(signal.SIGHUP)
    state: dict[str, float] = {}

    def decided() -> bool:
        state.update(_state(name, prefix, values))
        # One that was refused before looks refused until it has succeeded.
        failed = state.get(f"{prefix}_successful") == 0 and before.get(f"{prefix}_successful") != 0
        return failed or state.get(f"{prefix}_success_timestamp_seconds", 0.0) >= asked

    if process.until(decided, RELOAD_S) and state.get(f"{prefix}_successful") == 1:
        return None
    return f"{name} goes on with what it had: its configuration or rules are refused"


def _state(name: str, prefix: str, values: Mapping[str, str]) -> dict[str, float]:
    """What the part says of its last reload."""
    samples = re.findall(rf"^({prefix}\w*) (\S+)$", _metrics(name, values), re.MULTILINE)
    return {sample: float(value) for sample, value in samples}


def _metrics(name: str, values: Mapping[str, str]) -> str:
    """The part's own metrics; empty while it doesn't answer."""
    try:
        with urllib.request.urlopen(f"{url(name, values)}/metrics", timeout=2) as answer:  # noqa: S310  our own URL
            text: str = answer.read().decode()
    except (urllib.error.URLError, OSError):
        return ""
    return text
