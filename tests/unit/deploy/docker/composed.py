"""docker-compose.yml as it is read: anchors merged, variables still by name."""

import re
from typing import Any

import yaml

from deploy.local.home import CHECKOUT

TEXT = (CHECKOUT / "docker-compose.yml").read_text()
DOCUMENT: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]

# Those that end by themselves, and those that run the code of this checkout.
ONE_SHOTS = {"secrets", "migrate", "ops"}
OURS = {"secrets", "migrate", "ops", "ingestion", "aggregation", "api", "simulator"}
BUILT = OURS | {"front"}
LASTING = SERVICES.keys() - ONE_SHOTS


def environment(service: str) -> dict[str, Any]:
    """Its variables; None: taken from `.env` or the shell."""
    variables: dict[str, Any] = SERVICES[service].get("environment", {})
    return variables


def read() -> set[str]:
    """Every variable that compose itself reads."""
    handed_on = {name for service in SERVICES for name, value in environment(service).items() if value is None}
    return handed_on | set(re.findall(r"\$\{(\w+)", TEXT))


def volumes(service: str) -> list[tuple[str, str, bool]]:
    """Where from, where to, and whether it is read-only."""
    parts = [volume.split(":") for volume in SERVICES[service].get("volumes", [])]
    return [(source, target, options == ["ro"]) for source, target, *options in parts]
