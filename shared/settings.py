"""Settings from environment variables, read once and checked together, with errors that name the fix.

A service's settings class inherits the groups that it needs; a field's name in capitals is its variable.
`VAR_FILE` names a file that holds the value of VAR, for secrets.
"""

import argparse
import os
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import ConfigurationError
from shared.events import Limits

T = TypeVar("T", bound="Settings")


class Settings(BaseSettings):
    """The base of every group. Fields carry `description` (the meaning, for --help) and may carry a `fix`."""

    model_config = SettingsConfigDict(case_sensitive=False, frozen=True, extra="ignore", hide_input_in_errors=True)


def fix(text: str) -> dict[str, Any]:
    """For Field(json_schema_extra=…): what a user should do when the variable's value is refused."""
    return {"fix": text}


def _bootstrap(value: str) -> str:
    for server in value.split(","):
        host, colon, port = server.strip().rpartition(":")
        if not (host and colon and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError(f"{server.strip()!r} is not host:port")
    return value


class KafkaSettings(Settings):
    kafka_bootstrap_servers: Annotated[str, AfterValidator(_bootstrap)] = Field(
        "localhost:9092",
        description="Kafka brokers, host:port separated by commas",
        json_schema_extra=fix("give host:port,host:port; `plumbline status` shows the embedded broker's"),
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how to talk to the brokers"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism, with SASL_*"
    )
    kafka_sasl_username: str = Field("", description="SASL user, with SASL_*")
    kafka_sasl_password: SecretStr = Field(SecretStr(""), description="SASL password, with SASL_*")
    kafka_ssl_ca_location: str = Field("", description="CA file, with *SSL; empty: the system's")
    kafka_ssl_certificate_location: str = Field("", description="client certificate, with *SSL")
    kafka_ssl_key_location: str = Field("", description="client key, with *SSL")
    kafka_session_timeout_ms: int = Field(
        10_000, ge=1_000, le=3_600_000, description="a consumer that is silent for so long has left the group"
    )
    kafka_max_poll_interval_ms: int = Field(
        60_000, ge=1_000, le=86_400_000, description="a consumer that doesn't poll for so long has left the group"
    )


class TopicSettings(KafkaSettings):
    topic_readings: str = Field("telemetry.readings", min_length=1, description="where events are published")
    topic_dead_letters: str = Field("telemetry.dead-letters", min_length=1, description="what can't be taken")
    topic_acks_prefix: str = Field("telemetry.acks", min_length=1, description="ack topics are PREFIX.success, …")
    topic_partitions: int = Field(6, ge=1, le=10_000, description="partitions of a topic that is made")
    topic_replication_factor: int = Field(1, ge=1, le=16, description="replicas of a topic that is made")


class DatabaseSettings(Settings):
    database_url: SecretStr = Field(SecretStr(""), description="postgresql://… in place of the DB_ variables")
    db_host: str = Field("localhost", description="Postgres host, or the folder of its socket")
    db_port: int = Field(5432, ge=1, le=65535, description="Postgres port")
    db_user: str = Field("plumbline", description="Postgres role")
    db_password: SecretStr = Field(SecretStr(""), description="its password")
    db_name: str = Field("plumbline", description="database")
    db_connect_timeout_seconds: int = Field(5, ge=2, le=60, description="give up connecting after so long")

    def conninfo(self, application_name: str = "plumbline") -> str:
        """A libpq connection string, password included."""
        from psycopg.conninfo import make_conninfo  # a service without a database doesn't install psycopg

        common: dict[str, Any] = {
            "application_name": application_name,
            "connect_timeout": self.db_connect_timeout_seconds,
            # A peer that vanished is noticed within half a minute instead of two hours.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        }
        if url := self.database_url.get_secret_value():
            return make_conninfo(url, **common)
        password = self.db_password.get_secret_value()
        return make_conninfo(
            host=self.db_host, port=self.db_port, user=self.db_user, dbname=self.db_name,
            **({"password": password} if password else {}), **common,
        )  # fmt: skip


class EventSettings(Settings):
    """What gateway and consumer must know alike."""

    max_event_bytes: int = Field(1_000_000, ge=100, le=100_000_000, description="a larger event is too_large")
    max_future_seconds: int = Field(300, ge=0, le=86_400_000, description="further ahead is timestamp_in_future")
    max_age_days: int = Field(3650, ge=1, le=36_500, description="older is timestamp_too_old")

    def limits(self) -> Limits:
        """What an event may be at most."""
        return Limits(
            max_event_bytes=self.max_event_bytes,
            max_future_us=self.max_future_seconds * 1_000_000,
            max_age_us=self.max_age_days * 86_400_000_000,
        )


class TracingSettings(Settings):
    """OpenTelemetry's own variables that decide whether there are traces; its SDK reads more of them itself."""

    otel_exporter_otlp_endpoint: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+\S*)?$",
        description="where traces go, such as http://localhost:4318; empty: none are made (needs the extra otel)",
    )
    otel_exporter_otlp_protocol: Literal["", "http/protobuf"] = Field(
        "",
        description="how they are sent",
        json_schema_extra=fix("unset it, and give the receiver's port of OTLP over HTTP, which mostly is 4318"),
    )
    otel_traces_exporter: Literal["", "otlp", "console", "none"] = Field(
        "", description="console: they are printed to stderr; none: there are none; otherwise sent to the endpoint"
    )
    otel_service_name: str = Field("", description="whose they are; empty: plumbline-SERVICE")
    otel_traces_sampler: Literal[
        "",
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ] = Field("", description="which traces are recorded; empty: all, but for those that their caller doesn't record")
    otel_traces_sampler_arg: str = Field(
        "", pattern=r"^((0?\.\d+|[01](\.0*)?))?$", description="the share of traces for a sampler with ratio, 0 to 1"
    )
    otel_sdk_disabled: bool = Field(False, description="no traces, whatever else is set")

    def traces_wanted(self) -> bool:
        """Whether spans are to be made."""
        asked = self.otel_traces_exporter or ("otlp" if self.otel_exporter_otlp_endpoint else "none")
        return asked != "none" and not self.otel_sdk_disabled


class ServiceSettings(TracingSettings):
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    log_format: Literal["console", "json"] = Field("json", description="one JSON object a line, or for reading")
    metrics_host: str = Field("127.0.0.1", description="address of /metrics")
    metrics_port: int = Field(0, ge=0, le=65535, description="port of /metrics; 0: none")


def load(cls: type[T]) -> T:
    """Reads `cls` from the environment.

    Raises:
        ConfigurationError: one line for each variable that can't be used.
    """
    try:
        return cls(**_from_files(cls))
    except ValidationError as error:
        raise ConfigurationError("\n".join(_line(cls, dict(e)) for e in error.errors())) from None


def _from_files(cls: type[Settings]) -> dict[str, str]:
    """The values that `VAR_FILE` variables point at; VAR itself may not be set as well."""
    values = {}
    for name in cls.model_fields:
        variable = name.upper()
        path = os.environ.get(f"{variable}_FILE")
        if path is None or f"{name}_file" in cls.model_fields:
            continue
        if variable in os.environ:
            raise ConfigurationError(f"{variable}_FILE: {variable} is set as well → unset one of the two")
        try:
            values[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not UTF-8 text"
            raise ConfigurationError(f"{variable}_FILE: {path}: {reason} → name a readable file") from None
    return values


def _line(cls: type[Settings], error: dict[str, Any]) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    field = cls.model_fields.get(name)
    extra = field.json_schema_extra if field and isinstance(field.json_schema_extra, dict) else {}
    problem = str(error["msg"]).removeprefix("Value error, ")
    problem = problem[:1].lower() + problem[1:]
    remedy = extra.get("fix") or (_remedy(field) if field else "see .env.example")
    return f"{name.upper() or 'settings'}: {problem} → {remedy}"


def _remedy(field: FieldInfo) -> str:
    default = "" if field.is_required() or isinstance(field.default, SecretStr) else f" (default: {field.default})"
    return f"set it to what it means: {field.description}{default}"


def help_text(cls: type[Settings]) -> str:
    """The variables of `cls` with meaning and default, a line each: the end of a service's --help."""
    rows = []
    for name, field in cls.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = f" (default: {default})" if default not in ("", None) else ""
        rows.append(f"  {name.upper():34} {field.description}{shown}")
    return "environment variables (VAR_FILE names a file that holds VAR):\n" + "\n".join(rows)


def command_line(cls: type[Settings], module: str, description: str, example: str) -> argparse.ArgumentParser:
    """The parser of `python -m MODULE`, whose --help ends with the variables of `cls` and an example."""
    return argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        epilog=f"{help_text(cls)}\n\nexample: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
