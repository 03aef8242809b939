"""Prometheus, where the machine has it: scrapes each service of the stack."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import psutil

from deploy.local import process, services
from deploy.local.home import CHECKOUT
from deploy.local.ports import HOST, Claim

READY_S = 60.0


def program() -> str | None:
    return shutil.which("prometheus")


def config(targets: Path) -> str:
    """prometheus.yml: targets come from a file that is read again when it changes, as ports may."""
    rules = CHECKOUT / "deploy" / "prometheus" / "rules"
    document = {
        "global": {"scrape_interval": "5s", "evaluation_interval": "5s"},
        "rule_files": [str(rules / "*.yml")] if rules.is_dir() else [],
        "scrape_configs": [{"job_name": "plumbline", "file_sd_configs": [{"files": [str(targets)]}]}],
    }
    return json.dumps(document, indent=2)  # JSON is YAML


def targets(values: Mapping[str, str]) -> list[dict[str, object]]:
    """What to scrape, as Prometheus' file discovery wants it: the services with a METRICS_URL_."""
    found: list[dict[str, object]] = []
    for name, url in values.items():
        if name.startswith("METRICS_URL_"):
            address = url.removeprefix("http://").removesuffix("/metrics")
            service = name.removeprefix("METRICS_URL_").lower()
            found.append({"targets": [address], "labels": {"service": service}})
    return found


def discover(home: Path, values: Mapping[str, str]) -> None:
    """Write the targets, at once for a Prometheus that runs."""
    scratch = home / "prometheus-targets.new"
    scratch.write_text(json.dumps(targets(values)))
    scratch.replace(home / "prometheus-targets.json")


def start(home: Path, binary: str, claim: Claim) -> psutil.Process:
    """Start it with its data in the home; `wait` says when it answers."""
    (home / "prometheus.yml").write_text(config(home / "prometheus-targets.json"))
    argv = [
        binary,
        f"--config.file={home / 'prometheus.yml'}",
        f"--storage.tsdb.path={home / 'prometheus'}",
        f"--web.listen-address={HOST}:{claim.port}",
        "--log.level=warn",
    ]
    return process.spawn(home, "prometheus", argv, os.environ, keep_open=(claim.lock,))


def wait(home: Path, server: psutil.Process, port: int) -> None:
    url = f"http://{HOST}:{port}/-/ready"
    process.wait_ready(home, "prometheus", server, lambda: services.answers(url), READY_S)
