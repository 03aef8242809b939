"""prometheus.yml of a stack: whom Prometheus scrapes, which rules it has, where its alerts go."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.home import CHECKOUT

RULES = CHECKOUT / "deploy" / "prometheus" / "rules" / "*.yml"
INTERVAL = "5s"
# What may be away without anything being wrong: a target only while the stack runs it.
GUESTS = {"simulator"}


def file(home: Path) -> Path:
    return home / "prometheus.yml"


def config(values: Mapping[str, str], running: Collection[str]) -> dict[str, object]:
    """The document. `running`: the parts that run or are being started.

    A service that was started once stays a target: one that died is a target that is down, which is what alerts are
    for.
    """
    alertmanager = [_target(values["ALERTMANAGER_URL"])] if "alertmanager" in running else []
    node = [_target(values["METRICS_URL_NODE"])] if "node" in running else []
    itself = [_target(values["PROMETHEUS_URL"])] if "PROMETHEUS_URL" in values else []
    return {
        "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": [str(RULES)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": alertmanager}]}]},
        "scrape_configs": [
            {"job_name": "plumbline", "static_configs": targets(values, running)},
            {"job_name": "node", "static_configs": [{"targets": node}]},
            {"job_name": "prometheus", "static_configs": [{"targets": itself}]},
        ],
    }


def targets(values: Mapping[str, str], running: Collection[str]) -> list[dict[str, object]]:
    """Plumbline's services, each with its name as the label `service`."""
    found: list[dict[str, object]] = []
    for variable, url in values.items():
        service = variable.removeprefix("METRICS_URL_").lower()
        if not variable.startswith("METRICS_URL_") or service == "node":
            continue
        if service not in GUESTS or service in running:
            found.append({"targets": [_target(url)], "labels": {"service": service}})
    return found


def _target(url: str) -> str:
    return urlsplit(url).netloc


def write(home: Path, values: Mapping[str, str], running: Collection[str]) -> None:
    """Write the document; a Prometheus that runs reads it when it is told to."""
    scratch = home / "prometheus.yml.new"
    scratch.write_text(json.dumps(config(values, running), indent=2))  # JSON is YAML
    scratch.replace(file(home))
