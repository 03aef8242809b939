"""`python -m deploy.docker.secrets`: gives a stack in containers its names, passwords and keys, once.

They are kept in the volume that PLUMBLINE_HOME names: all of them in stack.env, for the operator's commands, and what
a container needs as a file of its own that only the container's group may read.
"""

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local import environment, home, issuer, secret_file
from shared import lifecycle
from shared.errors import ConfigurationError

# Group ids of docker-compose.yml's `group_add`.
INGESTION, AGGREGATION, API, POSTGRES, GRAFANA = 10101, 10102, 10103, 10104, 10105

# Where the parts are in the network of docker-compose.yml.
ADDRESSES = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "DB_HOST": "postgres",
    "DB_PORT": "5432",
    "API_URL": "http://api:8000",
    "FRONT_URL": "http://front:8000",
    "PROMETHEUS_URL": "http://prometheus:9090",
    "ALERTMANAGER_URL": "http://alertmanager:9093",
    "GRAFANA_URL": "http://grafana:3000",
    "METRICS_URL_INGESTION": "http://ingestion:9101/metrics",
    "METRICS_URL_AGGREGATION": "http://aggregation:9102/metrics",
    "METRICS_URL_API": "http://api:9103/metrics",
    "METRICS_URL_SIMULATOR": "http://simulator:9104/metrics",
    "METRICS_URL_NODE": "http://node-exporter:9100/metrics",
}
# What the API and the operator's commands must agree on.
_AGREED = ("AUTH_ISSUER", "JWT_AUDIENCE")


def files(values: Mapping[str, str]) -> dict[str, tuple[int, str]]:
    """What a container reads: the file's name → the group that may, and the content."""
    return {
        "owner-password": (POSTGRES, values["DB_PASSWORD"]),
        "ingestion-password": (INGESTION, values["PLUMBLINE_INGESTION_PASSWORD"]),
        "aggregation-password": (AGGREGATION, values["PLUMBLINE_AGGREGATION_PASSWORD"]),
        "api-password": (API, values["PLUMBLINE_API_PASSWORD"]),
        "readonly-password": (GRAFANA, values["PLUMBLINE_READONLY_PASSWORD"]),
        "grafana-password": (GRAFANA, values["GRAFANA_PASSWORD"]),
        "receipt-key": (API, values["RECEIPT_KEY"]),
    }


def make(folder: Path, caller: Mapping[str, str]) -> None:
    """Bring the folder up to date; what was given once stays."""
    agreed = {name: caller[name] for name in _AGREED if caller.get(name)}
    given = {"GRAFANA_PASSWORD": secrets.token_urlsafe(24), **environment.read(folder)}
    values = environment.with_secrets({**given, **ADDRESSES, **agreed}, folder)
    environment.write(folder, values)
    issuer.ensure(values)
    for name, (group, content) in files(values).items():
        secret_file.replace(folder / name, content.encode())
        _share(folder / name, group)
    for name in ("AUTH_SIGNING_KEY_FILE", "AUTH_CLIENTS_FILE"):
        _share(Path(values[name]), API)


def _share(file: Path, group: int) -> None:
    """Let the group read the file, which stays so when it is replaced."""
    try:
        os.chown(file, -1, group)
    except PermissionError:
        raise ConfigurationError(
            f"{file} can't be given to group {group} → run this with that group (docker-compose.yml: group_add)"
        ) from None
    file.chmod(0o440)


def main() -> int:
    """Make them in PLUMBLINE_HOME."""
    folder = home.default()
    with home.locked(folder):
        make(folder, os.environ)
    sys.stdout.write(f"passwords and keys are in {folder}\n")
    return 0


if __name__ == "__main__":
    lifecycle.run(main)
