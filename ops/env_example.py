"""`python -m ops.env_example > .env.example`: every variable of every service with its meaning and default."""

import sys

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


def text() -> str:
    """The whole file."""
    lines = [
        "# Made by `make env-example`. Each line shows a variable's default; uncomment what you change.",
        "# VAR_FILE names a file that holds VAR's value: for secrets.",
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


if __name__ == "__main__":
    sys.stdout.write(text())
