"""Prometheus, Alertmanager and Grafana in containers: as beside them, with replicas found by their service's name."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from deploy.docker import secrets
from deploy.local import monitoring, prometheus
from deploy.local.home import CHECKOUT
from tests.unit.deploy.docker.composed import SERVICES, environment, volumes

CONFIG = CHECKOUT / "deploy" / "docker" / "prometheus.yml"
DOCUMENT: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
JOBS: dict[str, dict[str, Any]] = {job["job_name"]: job for job in DOCUMENT["scrape_configs"]}
EMBEDDED = prometheus.config(secrets.ADDRESSES, ["alertmanager", "simulator"])


def flags(service: str) -> dict[str, str]:
    """Of its command, by name."""
    pairs = (flag.partition("=") for flag in SERVICES[service]["command"])
    return {name: value for name, _, value in pairs}


def mounted(service: str) -> dict[str, Path]:
    """Files and folders of the checkout by their place in the container."""
    return {target: CHECKOUT / source for source, target, _ in volumes(service) if source.startswith(".")}


def test_each_service_is_found_by_its_name_and_told_by_it() -> None:
    job = JOBS["plumbline"]
    found = {name: each for each in job["dns_sd_configs"] for name in each["names"]}
    assert found.keys() == {"ingestion.", "aggregation.", "api.", "simulator."}
    [relabel] = job["relabel_configs"]
    assert (relabel["source_labels"], relabel["target_label"]) == (["__meta_dns_name"], "service")
    for name, each in found.items():
        service = re.fullmatch(relabel["regex"], name)
        assert service is not None
        assert each["type"] == "A"
        assert each["port"] == environment(service[1])["METRICS_PORT"]
        assert "default" in SERVICES[service[1]]["networks"]


def test_a_replica_that_comes_or_goes_is_noticed_at_the_next_scrape() -> None:
    assert {each["refresh_interval"] for each in JOBS["plumbline"]["dns_sd_configs"]} == {prometheus.INTERVAL}


def test_jobs_intervals_and_rules_are_those_of_the_embedded_stack() -> None:
    assert DOCUMENT["global"] == EMBEDDED["global"]
    jobs = EMBEDDED["scrape_configs"]
    assert isinstance(jobs, list)
    assert list(JOBS) == [job["job_name"] for job in jobs]
    [rules] = DOCUMENT["rule_files"]
    assert mounted("prometheus")["/etc/prometheus/rules"] == prometheus.RULES.parent
    assert f"/etc/prometheus/{rules}" == f"/etc/prometheus/rules/{prometheus.RULES.name}"


def test_prometheus_and_alertmanager_are_started_as_in_the_embedded_stack() -> None:
    """But for their places; and logs that say what goes wrong only."""
    for name in ("prometheus", "alertmanager"):
        embedded = (flag.partition("=") for flag in monitoring.MONITORS[name].arguments(Path("/"), "http://a"))
        expected = {flag: value for flag, _, value in embedded} | {"--log.level": "warn"}
        places = {"--config.file", "--storage.tsdb.path", "--storage.path", "--web.external-url"}
        given = flags(name)
        assert {f: v for f, v in given.items() if f not in places} == {
            f: v for f, v in expected.items() if f not in places
        }
        assert given["--config.file"] in mounted(name)
        [data] = [target for source, target, _ in volumes(name) if source == f"{name}-data"]
        assert data in given.values()


def test_alerts_go_to_the_alertmanager_of_the_stack() -> None:
    assert DOCUMENT["alerting"] == EMBEDDED["alerting"]
    assert list(mounted("alertmanager").values()) == [monitoring.ROUTES]


def test_the_node_exporter_sees_the_disks_of_the_servers_data() -> None:
    [disks] = JOBS["node"]["dns_sd_configs"]
    assert disks["names"] == ["node-exporter."]
    assert disks["port"] == 9100
    pattern = flags("node-exporter")["--collector.filesystem.mount-points-include"]
    assert {source for source, target, _ in volumes("node-exporter") if re.match(pattern, target)} == {
        "kafka-data",
        "postgres-data",
    }
    # Read-only would hide them from the alerts.
    assert not any(read_only for *_, read_only in volumes("node-exporter"))


def test_prometheus_takes_the_configuration_with_its_rules(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "promtool isn't installed → sudo apt-get install -y prometheus"
    shutil.copy(CONFIG, tmp_path)
    shutil.copytree(prometheus.RULES.parent, tmp_path / "rules")
    command: list[str | Path] = [promtool, "check", "config", tmp_path / CONFIG.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(list((tmp_path / 'rules').iterdir()))} rule files found" in done.stdout


def test_grafana_s_data_sources_have_what_they_name() -> None:
    folder = mounted("grafana")["/etc/grafana/provisioning"]
    text = (folder / "datasources" / "plumbline.yml").read_text()
    named = {name for value in strings(yaml.safe_load(text)) for name in re.findall(r"\$(\w+)", value)}
    given = environment("grafana")
    assert named == {"PROMETHEUS_URL", "DB_HOST", "DB_PORT", "DB_NAME", "DB_SSLMODE", "GF_PLUMBLINE_READONLY_PASSWORD"}
    # The image reads those with __FILE at its start, if their names begin with GF_.
    assert all(name in given or f"{name}__FILE" in given for name in named)
    assert given["PROMETHEUS_URL"] == secrets.ADDRESSES["PROMETHEUS_URL"]
    assert (given["DB_HOST"], str(given["DB_PORT"])) == (secrets.ADDRESSES["DB_HOST"], secrets.ADDRESSES["DB_PORT"])
    assert given["DB_NAME"] == environment("postgres")["POSTGRES_DB"]


def strings(value: Any) -> list[str]:
    """Every string of a document."""
    if isinstance(value, dict):
        return [found for each in value.values() for found in strings(each)]
    if isinstance(value, list):
        return [found for each in value for found in strings(each)]
    return [value] if isinstance(value, str) else []


def test_grafana_finds_its_dashboards_and_begins_with_one() -> None:
    places = mounted("grafana")
    provider = (places["/etc/grafana/provisioning"] / "dashboards" / "plumbline.yml").read_text()
    [found] = yaml.safe_load(provider)["providers"]
    path = found["options"]["path"]
    assert places[path] == CHECKOUT / "grafana" / "dashboards"
    first = environment("grafana")["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (places[path] / Path(first).relative_to(path)).exists()


def test_grafana_lets_nobody_in_without_its_password_and_asks_nobody_outside() -> None:
    given = environment("grafana")
    assert given["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/plumbline/grafana-password"
    off = {
        "GF_USERS_ALLOW_SIGN_UP", "GF_AUTH_ANONYMOUS_ENABLED", "GF_ANALYTICS_REPORTING_ENABLED",
        "GF_ANALYTICS_CHECK_FOR_UPDATES", "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "GF_NEWS_NEWS_FEED_ENABLED",
        "GF_PLUGINS_PLUGIN_ADMIN_ENABLED", "GF_SNAPSHOTS_EXTERNAL_ENABLED",
    }  # fmt: skip
    on = {"GF_PLUGINS_PREINSTALL_DISABLED", "GF_SECURITY_DISABLE_GRAVATAR"}
    assert {given[name] for name in off} == {"false"}
    assert {given[name] for name in on} == {"true"}


def test_the_stand_ins_differ_in_images_and_the_way_to_their_programs_only() -> None:
    overrides = yaml.safe_load((CHECKOUT / "tests" / "compose" / "standins.yml").read_text())["services"]
    assert overrides.keys() == {"prometheus", "alertmanager"}
    for name, override in overrides.items():
        assert override.keys() <= {"image", "entrypoint", "command", "volumes"}
        assert override["image"].partition(":")[0] == SERVICES[name]["image"].partition(":")[0]
    theirs = dict(flag.split("=", 1) for flag in overrides["alertmanager"]["command"])
    assert theirs == flags("alertmanager") | {"--storage.path": "/prometheus"}
    assert overrides["alertmanager"]["volumes"] == ["alertmanager-data:/prometheus"]
