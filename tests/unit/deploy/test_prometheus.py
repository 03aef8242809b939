"""Whom a stack's Prometheus scrapes."""

from typing import Any, cast

from deploy.local import environment, ports, prometheus

VALUES = environment.addresses(ports.DEFAULTS)
SERVICES = {"ingestion", "aggregation", "api"}


def services(running: set[str]) -> set[str]:
    found = cast("list[dict[str, Any]]", prometheus.targets(VALUES, running))
    return {target["labels"]["service"] for target in found}


def job(name: str, running: set[str]) -> list[str]:
    document = cast("dict[str, Any]", prometheus.config(VALUES, running))
    (found,) = [each for each in document["scrape_configs"] if each["job_name"] == name]
    return [address for group in found["static_configs"] for address in group["targets"]]


def test_a_service_that_died_stays_a_target_and_a_simulator_that_does_not_run_is_none() -> None:
    assert services(set()) == SERVICES
    assert services({"simulator"}) == SERVICES | {"simulator"}


def test_jobs_are_the_services_the_node_and_prometheus_itself() -> None:
    assert job("plumbline", set()) == ["127.0.0.1:9101", "127.0.0.1:9102", "127.0.0.1:9103"]
    assert job("node", {"node"}) == ["127.0.0.1:9100"]
    assert job("node", set()) == []
    assert job("prometheus", set()) == ["127.0.0.1:9090"]


def test_alerts_go_to_an_alertmanager_that_runs() -> None:
    def receivers(running: set[str]) -> list[str]:
        document = cast("dict[str, Any]", prometheus.config(VALUES, running))
        return cast("list[str]", document["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"])

    assert receivers({"alertmanager"}) == ["127.0.0.1:9093"]
    assert receivers(set()) == []
