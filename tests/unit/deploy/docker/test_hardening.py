"""No container can do more than it must."""

import re

import pytest

from tests.unit.deploy.docker.composed import BUILT, DOCUMENT, LASTING, ONE_SHOTS, OURS, SERVICES, TEXT, volumes

# Of the official images: they write their configuration and sockets beside their data.
WRITES = {"kafka", "postgres"}
# Numbers, where the image's own user is root or another than we want.
USERS = {
    "prometheus": "65534:65534",
    "alertmanager": "65534:65534",
    "node-exporter": "65534:65534",
    "grafana": "472:0",
    "front": "10001:10001",
    "postgres": "postgres",
}
# The image's own user: `appuser`.
UNPRIVILEGED_IMAGES = {"kafka"}

each_service = pytest.mark.parametrize("name", SERVICES)


@each_service
def test_it_has_no_capabilities_and_gets_no_others(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "devices", "pid", "ipc", "userns_mode"}
    assert service.get("network_mode") in {None, "none"}


@each_service
def test_it_writes_only_to_its_volumes_and_to_memory(name: str) -> None:
    if name in WRITES:
        return
    assert SERVICES[name]["read_only"] is True
    assert all(mount.startswith("/tmp:size=") for mount in SERVICES[name]["tmpfs"])  # noqa: S108  in the container


@each_service
def test_it_isn_t_root(name: str) -> None:
    """Ours have USER in their Dockerfile, which test_dockerfile.py reads."""
    if name not in OURS | UNPRIVILEGED_IMAGES:
        assert SERVICES[name]["user"] == USERS[name]
    else:
        assert "user" not in SERVICES[name]


@each_service
def test_of_the_checkout_it_sees_only_its_configuration(name: str) -> None:
    for source, _, read_only in volumes(name):
        if source.startswith((".", "/")):
            assert read_only
            assert re.match(r"\./(deploy|grafana)/", source), source


@each_service
def test_only_who_makes_or_changes_secrets_may_write_them(name: str) -> None:
    home = [read_only for source, target, read_only in volumes(name) if source == "home"]
    assert home in ([], [name not in {"secrets", "ops"}])


@each_service
def test_all_state_is_in_named_volumes(name: str) -> None:
    for source, _, read_only in volumes(name):
        if not read_only:
            assert source in DOCUMENT["volumes"], source


def test_what_keeps_data_has_a_volume_where_its_image_keeps_it() -> None:
    kept = {name: {target for source, target, ro in volumes(name) if source == f"{name}-data"} for name in SERVICES}
    assert {name: targets for name, targets in kept.items() if targets} == {
        "kafka": {"/var/lib/kafka/data"},
        "postgres": {"/var/lib/postgresql"},
        "prometheus": {"/prometheus"},
        "alertmanager": {"/alertmanager"},
        "grafana": {"/var/lib/grafana"},
    }


def test_only_three_are_published_all_on_the_address_that_may_be_chosen() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "front": ["${PUBLISH_ADDRESS:-127.0.0.1}:${FRONT_PORT:-8000}:8000"],
        "prometheus": ["${PUBLISH_ADDRESS:-127.0.0.1}:${PROMETHEUS_PORT:-9090}:9090"],
        "grafana": ["${PUBLISH_ADDRESS:-127.0.0.1}:${GRAFANA_PORT:-3000}:3000"],
    }
    assert not any("network_mode" in SERVICES[name] for name in LASTING)


def test_the_servers_are_where_nothing_comes_from_outside() -> None:
    assert DOCUMENT["networks"]["data"]["internal"] is True
    assert [name for name in SERVICES if SERVICES[name].get("networks") == ["data"]] == ["kafka", "postgres", "migrate"]


def test_nothing_stands_in_the_way_of_replicas() -> None:
    """A container's name and a port of the host exist once."""
    assert "container_name" not in TEXT
    assert "hostname" not in TEXT
    for name in ("ingestion", "aggregation", "api"):
        assert "ports" not in SERVICES[name]


@pytest.mark.parametrize("name", sorted(LASTING))
def test_what_lasts_is_looked_after(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    if name in BUILT:
        assert "healthcheck" not in service  # the image's own
    else:
        assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", sorted(ONE_SHOTS))
def test_what_ends_by_itself_isn_t_started_again(name: str) -> None:
    assert SERVICES[name]["restart"] == "no"
    assert SERVICES[name]["healthcheck"] == {"disable": True}


@each_service
def test_its_log_is_bounded(name: str) -> None:
    assert SERVICES[name]["logging"] == {"driver": "json-file", "options": {"max-size": "20m", "max-file": "5"}}


@each_service
def test_its_image_is_one_that_is_known(name: str) -> None:
    image: str = SERVICES[name]["image"]
    if name in BUILT:
        assert re.fullmatch(r"plumbline-[a-z]+:\$\{PLUMBLINE_TAG:-dev\}", image)
    else:
        tag = image.partition(":")[2]
        assert re.fullmatch(r"v?\d+(\.\d+){0,2}", tag), image
    assert ("build" in SERVICES[name]) == (name in BUILT - {"migrate"})


@pytest.mark.parametrize("name", sorted(BUILT))
def test_ours_hear_signals_from_their_first_moment_and_multiply_within_bounds(name: str) -> None:
    assert SERVICES[name]["init"] is True
    assert 128 <= SERVICES[name]["pids_limit"] <= 4_096


def test_memory_is_bounded_by_default_where_a_kill_costs_a_restart_and_no_more() -> None:
    """Where page cache or many connections' work counts, only if the operator says so."""
    given = {name: str(service["mem_limit"]) for name, service in SERVICES.items() if "mem_limit" in service}
    defaults = {
        name: limit.removeprefix(f"${{MEMORY_{name.upper()}:-").removesuffix("}") for name, limit in given.items()
    }
    assert defaults.keys() == (BUILT & LASTING) | {"kafka", "postgres"}
    assert {name for name, limit in defaults.items() if limit == "0"} == {"kafka", "postgres"}
    assert all(re.fullmatch(r"0|\d+[mg]", limit) for limit in defaults.values())


def test_what_is_optional_can_be_left_out() -> None:
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {
        "simulator": ["simulator"],
        "ops": ["ops"],
        "prometheus": ["observability", "prometheus"],
        "alertmanager": ["observability", "prometheus"],
        "node-exporter": ["observability", "node-exporter"],
        "grafana": ["observability", "grafana"],
    }
    optional = {name for name, service in SERVICES.items() if "profiles" in service}
    for service in SERVICES.values():
        assert not service.get("depends_on", {}).keys() & optional
