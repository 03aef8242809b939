"""What can be set for containers, and what compose fixes."""

import re
from fnmatch import fnmatch

import pytest

from aggregation_service.settings import AggregationSettings
from api_service.settings import ApiSettings
from deploy.local.home import CHECKOUT
from ingestion_service.settings import IngestionSettings
from ops import env_example
from shared.settings import Settings
from simulator.settings import SimulatorSettings
from tests.unit.deploy.docker.composed import SERVICES, TEXT, environment, read

CLASSES: dict[str, type[Settings]] = {
    "ingestion": IngestionSettings,
    "aggregation": AggregationSettings,
    "api": ApiSettings,
    "simulator": SimulatorSettings,
}
EXAMPLE = (CHECKOUT / ".env.example").read_text()
# Beside the services' settings: which of our ways to run this is, and what OpenTelemetry's SDK reads itself.
OTHERS = {"PLUMBLINE_DEPLOYMENT", "OTEL_EXPORTER_OTLP_HEADERS"}

each_class = pytest.mark.parametrize("name", CLASSES)


def settable(name: str) -> set[str]:
    """The variables that a service takes from `.env`."""
    return {variable for variable, value in environment(name).items() if value is None}


@each_class
def test_every_setting_can_be_set_or_is_one_that_compose_fixes(name: str) -> None:
    fields = {field.upper() for field in CLASSES[name].model_fields}
    fixed = {field for field in fields if any(fnmatch(field, pattern) for pattern in env_example.FIXED)}
    assert settable(name) & fields == fields - fixed


@each_class
def test_what_is_handed_on_is_read(name: str) -> None:
    fields = {field.upper() for field in CLASSES[name].model_fields}
    unread = {variable for variable in environment(name) if not {variable, variable.removesuffix("_FILE")} & fields}
    assert unread <= OTHERS


def test_what_is_said_to_be_fixed_is_a_setting_and_is_nowhere_taken_from_outside() -> None:
    fields = {field.upper() for settings in CLASSES.values() for field in settings.model_fields}
    for pattern in env_example.FIXED:
        assert any(fnmatch(field, pattern) for field in fields), pattern
        assert not any(fnmatch(variable, pattern) for variable in read()), pattern


def test_the_gateway_and_the_consumer_are_told_the_same_limits() -> None:
    limits = {"MAX_EVENT_BYTES", "MAX_FUTURE_SECONDS", "MAX_AGE_DAYS"}
    assert limits <= settable("ingestion") & settable("api")


@each_class
def test_traces_go_where_they_are_told_with_what_lets_them_in(name: str) -> None:
    assert {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"} <= settable(name)


def test_every_variable_that_compose_reads_is_in_the_example() -> None:
    told = set(re.findall(r"^#([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE))
    assert read() <= told


def test_the_example_tells_the_defaults_of_compose() -> None:
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", TEXT))
    told = {name: default for name, default, _ in env_example.CONTAINERS}
    assert {name: told.get(name) for name in defaults} == defaults


def test_what_the_example_tells_of_containers_is_read() -> None:
    ours = {name for name, _, _ in env_example.CONTAINERS if not name.startswith("COMPOSE_")}
    assert ours <= read()


def test_the_example_names_the_profiles() -> None:
    [meaning] = [meaning for name, _, meaning in env_example.CONTAINERS if name == "COMPOSE_PROFILES"]
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", [])}
    assert set(re.findall(r"[a-z-]+", meaning)) >= profiles - {"ops"}


def test_no_secret_has_a_value() -> None:
    """They are in files of the volume `home`."""
    secret = re.compile(r"PASSWORD|SECRET|TOKEN(?!_TTL)|_KEY(_FILE)?$|CLIENTS")
    for name in SERVICES:
        for variable, value in environment(name).items():
            if secret.search(variable):
                assert variable.endswith("_FILE"), variable
                assert str(value).startswith("/run/plumbline/"), variable
    assert not re.search(r"://[^/\s]*:[^/\s]*@", TEXT)
