"""What is said of a service from what its containers answer."""

from collections.abc import Mapping

import pytest

from deploy.docker import replicas, status
from deploy.docker.published import published
from deploy.docker.secrets import ADDRESSES
from deploy.local.doctor import part_finding
from tests.unit.deploy.docker.composed import LASTING, SERVICES

IN_COMPOSE = {"PLUMBLINE_DEPLOYMENT": "compose"}


@pytest.mark.parametrize(
    ("found", "state", "problem"),
    [
        ([], "stopped", None),
        ([{}], "running", None),
        ([{}, {}, {}], "running", None),
        ([None, None], "not answering", None),
        ([{}, None, {}], "not ready", "1 of 3 containers don't answer → docker compose restart ingestion"),
        ([{"partition 3 stopped": ""}] * 2, "not ready", "partition 3 stopped"),
        ([{"database": "away"}, {"kafka": "away"}], "not ready", "database: away; kafka: away"),
    ],
)
def test_a_part_is_as_its_containers_are(
    found: list[Mapping[str, str] | None], state: str, problem: str | None
) -> None:
    part = status.judged("ingestion", "http://ingestion:9101/metrics", found)
    assert (part.state, part.problem, part.pid, part.replicas) == (state, problem, None, len(found))


def test_what_has_a_profile_may_be_away_and_the_rest_may_not() -> None:
    def finding(name: str) -> tuple[str, str]:
        made = part_finding(status.judged(name, "there", []), known=True, stack_runs=True)
        return made.state, made.mend

    assert finding("simulator") == ("note", "plumbline up --only simulator")
    assert finding("grafana")[0] == "note"
    assert finding("ingestion") == ("broken", "plumbline up --only ingestion")


def test_a_container_that_hangs_is_started_again() -> None:
    made = part_finding(status.judged("api", "http://127.0.0.1:8000", [None]), known=True, stack_runs=True)
    assert (made.state, made.mend) == ("broken", "docker compose restart api")


def test_a_name_that_nobody_has_is_no_container_and_an_address_is_one() -> None:
    assert replicas.each("http://nobody.invalid:9101/metrics") == []
    assert replicas.each("http://127.0.0.1:9101/metrics") == ["http://127.0.0.1:9101/metrics"]
    assert replicas.each("http://localhost:9101/metrics") == ["http://127.0.0.1:9101/metrics"]


@pytest.mark.parametrize(
    ("environ", "api", "prometheus"),
    [
        ({}, "http://127.0.0.1:8000", "http://127.0.0.1:9090"),
        ({"FRONT_PORT": "8100", "PROMETHEUS_PORT": "9190"}, "http://127.0.0.1:8100", "http://127.0.0.1:9190"),
        ({"PUBLISH_ADDRESS": "10.0.0.7", "FRONT_PORT": ""}, "http://10.0.0.7:8000", "http://10.0.0.7:9090"),
        ({"PUBLISH_ADDRESS": "0.0.0.0"}, "http://localhost:8000", "http://localhost:9090"),
        ({"PLUMBLINE_PUBLIC_URL": "https://telemetry.example/"}, "https://telemetry.example", "http://127.0.0.1:9090"),
    ],
)
def test_people_are_told_addresses_of_the_host(environ: Mapping[str, str], api: str, prometheus: str) -> None:
    found = published(ADDRESSES, {**IN_COMPOSE, **environ})
    assert (found["API_URL"], found["PROMETHEUS_URL"]) == (api, prometheus)
    assert "ALERTMANAGER_URL" not in found, "it isn't published"


def test_the_embedded_stacks_addresses_are_good_as_they_are() -> None:
    assert published({"API_URL": "http://127.0.0.1:8123"}, {"FRONT_PORT": "1"}) == {"API_URL": "http://127.0.0.1:8123"}


def test_each_service_that_stays_is_asked_and_those_with_a_profile_may_be_away() -> None:
    assert set(status.SERVICES) == LASTING
    assert {name for name in LASTING if SERVICES[name].get("profiles")} == status.OPTIONAL
