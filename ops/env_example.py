"""`python -m ops.env_example > .env.example`: every variable of every service with its meaning and default."""

import sys
from textwrap import wrap

from pydantic import SecretStr

from aggregation_service.settings import AggregationSettings
from api_service.settings import ApiSettings
from ingestion_service.settings import IngestionSettings
from shared.settings import (
    DatabaseSettings,
    EventSettings,
    KafkaSettings,
    ServiceSettings,
    Settings,
    TopicSettings,
)
from simulator.settings import SimulatorSettings

GROUPS: tuple[tuple[str, type[Settings]], ...] = (
    ("Kafka: every service but the aggregation", KafkaSettings),
    ("Topics", TopicSettings),
    ("Postgres: every service but the simulator", DatabaseSettings),
    ("Every service", ServiceSettings),
    ("What an event may be: ingestion and the gateway alike", EventSettings),
    ("python -m ingestion_service", IngestionSettings),
    ("python -m aggregation_service", AggregationSettings),
    ("python -m api_service", ApiSettings),
    ("python -m simulator", SimulatorSettings),
)

# Of docker-compose.yml itself: variable, default, meaning.
CONTAINERS = (
    ("PUBLISH_ADDRESS", "127.0.0.1", "the host's address with the ports below; 0.0.0.0: whoever reaches the host"),
    ("FRONT_PORT", "8000", "the host's port for the API, however many containers it has"),
    ("PROMETHEUS_PORT", "9090", "the host's port for Prometheus"),
    ("GRAFANA_PORT", "3000", "the host's port for Grafana"),
    ("PLUMBLINE_PUBLIC_URL", "", "the API's URL for people, where it isn't that port's"),
    (
        "MEMORY_INGESTION",
        "1g",
        "most memory of a container of ingestion, which is killed and starts again beyond it; 0: any",
    ),
    ("MEMORY_AGGREGATION", "2g", "of aggregation"),
    ("MEMORY_API", "2g", "of the API"),
    ("MEMORY_FRONT", "512m", "of the API's front"),
    ("MEMORY_SIMULATOR", "1g", "of the simulator"),
    ("MEMORY_KAFKA", "0", "of Kafka, at least 1500m: its heap of 512m, what Java needs besides, and the page cache"),
    ("MEMORY_POSTGRES", "0", "of Postgres, at least 1g; whoever is killed there takes all connections along"),
    ("PLUMBLINE_TAG", "dev", "the tag of the images that are built and run"),
    ("PLUMBLINE_EXTRA", "", "otel: the images are built with what sends traces, for OTEL_*"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "", "what lets traces in where they go, such as authorization=…"),
    (
        "COMPOSE_PROFILES",
        "",
        "what runs besides, by commas: simulator, observability; or of the latter prometheus, grafana, node-exporter",
    ),
)
# Addresses, roles and secrets of a stack in containers. Its Kafka has one listener, without TLS, and asks for no token.
FIXED = (
    *("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_*", "KAFKA_SSL_*"),
    *("DATABASE_URL", "DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME"),
    *("API_HOST", "API_PORT", "METRICS_HOST", "METRICS_PORT", "TRUSTED_PROXIES"),
    *("RECEIPT_KEY", "AUTH_SIGNING_KEY_FILE", "AUTH_CLIENTS_FILE"),
    *("AUTH_TOKEN", "AUTH_TOKEN_FILE", "AUTH_TOKEN_URL", "AUTH_CLIENT_ID", "AUTH_CLIENT_SECRET", "AUTH_SCOPE"),
)


def text() -> str:
    """The whole file."""
    lines = [
        "# Made by `make env-example`. Each line shows a variable's default; uncomment what you change.",
        "# VAR_FILE names a file that holds VAR's value: for secrets.",
        *_containers(),
    ]
    seen: set[str] = set()
    for title, group in GROUPS:
        fields = {name: field for name, field in group.model_fields.items() if name not in seen}
        seen |= fields.keys()
        lines += ["", f"# {title}"] if fields else []
        for name, field in fields.items():
            default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
            lines += [f"# {field.description}", f"#{name.upper()}={'' if default is None else default}"]
    return "\n".join(lines) + "\n"


def _containers() -> list[str]:
    """What a `.env` beside docker-compose.yml is read for."""
    lines = ["", "# Containers: docker compose reads a file `.env` beside docker-compose.yml"]
    for name, default, meaning in CONTAINERS:
        lines += [*wrap(meaning, 118, initial_indent="# ", subsequent_indent="# "), f"#{name}={default}"]
    ignored = "What follows can be set there as well, but for what the containers fix: " + ", ".join(FIXED) + "."
    return [*lines, *wrap(ignored, 118, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)]


if __name__ == "__main__":
    sys.stdout.write(text())
