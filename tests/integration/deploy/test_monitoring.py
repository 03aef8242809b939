"""The real Prometheus, Alertmanager and node exporter, as a stack runs them."""

import json
import random
import re
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.local import environment, monitoring, process, prometheus, stack

pytestmark = pytest.mark.embedded("Prometheus and Alertmanager as the embedded stack runs them")

# The alert waits until Prometheus has discovered its Alertmanager, 5 s after each reload.
RULES = """
groups:
  - name: test
    interval: 1s
    rules:
      - {alert: AlwaysThere, expr: vector(1), for: 7s, labels: {severity: ticket}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    where = tmp_path_factory.mktemp("monitoring").resolve()
    yield where
    stack.reset(where, say=lambda _: None)
    assert not where.exists(), "data of these parts is removed with the rest"


@pytest.fixture
def rules(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the rules that a stack loads here."""
    folder = tmp_path_factory.getbasetemp() / "rules"
    folder.mkdir(exist_ok=True)
    monkeypatch.setattr(prometheus, "RULES", folder / "*.yml")
    return folder / "test.yml"


def up(home: Path) -> tuple[Mapping[str, str], list[str]]:
    """The stack's values and what `up` said."""
    said: list[str] = []
    first = random.randrange(20_000, 30_000)
    wished = {"prometheus": first, "alertmanager": first + 1, "metrics-node": first + 2}
    outcome = stack.up(home, tuple(monitoring.MONITORS), stack.Options(wished=wished), said.append)
    return outcome.values, said


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  a URL of this stack
        text: str = answer.read().decode(errors="replace")
    return text


def alerts(url: str) -> list[str]:
    found: list[dict[str, Any]] = json.loads(get(f"{url}/api/v2/alerts"))
    return [each["labels"]["alertname"] for each in found]


def test_a_rule_that_changes_is_loaded_by_the_next_up_and_its_alert_reaches_the_alertmanager(
    home: Path, rules: Path
) -> None:
    values, _ = up(home)
    assert json.loads(get(f"{values['PROMETHEUS_URL']}/api/v1/rules"))["data"]["groups"] == []
    rules.write_text(RULES)
    _, said = up(home)
    assert said == []
    assert process.until(lambda: alerts(values["ALERTMANAGER_URL"]) == ["AlwaysThere"], 60)
    (alert,) = json.loads(get(f"{values['ALERTMANAGER_URL']}/api/v2/alerts"))
    assert alert["generatorURL"].startswith(f"{values['PROMETHEUS_URL']}/graph")


def test_rules_that_are_broken_are_said_and_the_old_ones_go_on(home: Path, rules: Path) -> None:
    rules.write_text(RULES)
    values, _ = up(home)
    rules.write_text("groups: [")
    _, said = up(home)
    assert "prometheus goes on with what it had" in said[-1]
    assert "AlwaysThere" in get(f"{values['PROMETHEUS_URL']}/api/v1/rules")
    rules.write_text(RULES)
    assert up(home)[1] == []


def test_the_pages_of_prometheus_have_all_that_they_refer_to(home: Path, rules: Path) -> None:
    values, _ = up(home)
    references: set[str] = set()
    for name in ("alerts", "rules", "targets", "graph"):
        page = get(monitoring.page(values, name))
        assert "<title>" in page
        references.update(re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css|ico))', page))
    assert len(references) > 5
    for reference in references:
        assert get(values["PROMETHEUS_URL"] + reference), reference


def test_the_node_exporter_says_how_full_the_disks_are_and_little_else(home: Path, rules: Path) -> None:
    values, _ = up(home)
    text = get(values["METRICS_URL_NODE"])
    names = {line.partition("{")[0].partition(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    assert {"node_filesystem_avail_bytes", "node_load1", "node_memory_MemAvailable_bytes"} <= names
    assert 'mountpoint="/"' in text
    assert not [name for name in names if name.startswith(("node_network", "node_systemd", "go_"))]


def test_a_simulator_that_was_stopped_is_no_target_that_is_down(home: Path, rules: Path) -> None:
    values, _ = up(home)
    environment.write(home, {**values, "METRICS_URL_SIMULATOR": "http://127.0.0.1:1/metrics"})
    prometheus.write(home, environment.read(home), {"prometheus", "simulator"})
    assert '"simulator"' in prometheus.file(home).read_text()
    stack.down(home, ("simulator",), say=lambda _: None)
    assert '"simulator"' not in prometheus.file(home).read_text()
