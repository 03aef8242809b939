"""The demo beside us and the one in containers show the same fleet."""

import re

import pytest

from deploy.docker.secrets import ADDRESSES
from deploy.local import services
from deploy.local.home import CHECKOUT
from ops.demo import HISTORY, LIVE
from ops.watch import links
from tests.unit.deploy.docker.composed import SERVICES

SCRIPT = (CHECKOUT / "deploy" / "docker" / "demo.sh").read_text()
SERIES = {"device_id": "dev-1", "metric": "heart_rate"}


def test_the_composed_fleet_is_the_demos() -> None:
    def flags(command: list[str]) -> set[str]:
        """Each flag with its value."""
        return set(re.split(r" (?=--)", " ".join(command)))

    assert flags(SERVICES["simulator"]["command"]) == flags(list(LIVE))


def test_the_script_loads_the_demos_history() -> None:
    found = re.search(r"^history=\((.*)\)$", SCRIPT, re.MULTILINE)
    assert found is not None
    assert tuple(found[1].split()) == HISTORY


def test_links_of_a_stack_in_containers_are_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "answers", lambda _url: False)  # no classic pages
    environ = {"PLUMBLINE_DEPLOYMENT": "compose", "FRONT_PORT": "8100", "PLUMBLINE_PUBLIC_URL": ""}
    found = links(ADDRESSES, {"api", "prometheus", "alertmanager", "grafana"}, SERIES, environ)
    assert found == {
        "the analysts' page": "http://127.0.0.1:8100/#device_id=dev-1&metric=heart_rate&from=-1h&live=1",
        "the API and its documentation": "http://127.0.0.1:8100/docs",
        "Prometheus: graph": "http://127.0.0.1:9090/graph",
        "Prometheus: alerts": "http://127.0.0.1:9090/alerts",
        "Grafana": "http://127.0.0.1:3000",
    }


def test_links_are_of_what_runs() -> None:
    values = {"API_URL": "http://127.0.0.1:8000", "ALERTMANAGER_URL": "http://127.0.0.1:9093"}
    assert list(links(values, {"api", "alertmanager"}, SERIES, {})) == [
        "the analysts' page", "the API and its documentation", "Alertmanager",
    ]  # fmt: skip
