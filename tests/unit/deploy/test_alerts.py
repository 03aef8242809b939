"""Rules, their tests, their headings in the runbook and the metrics that they ask for belong together."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from ops.cli import app
from ops.metrics_doc import SERVICES, catalogue

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "prometheus"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
TESTS = sorted((FOLDER / "tests").glob("*.yml"))
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()

# Of others: Prometheus', the node exporter's, and those of every process.
FOREIGN = {
    "up", "process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes",
    "node_filesystem_avail_bytes", "node_filesystem_size_bytes", "node_filesystem_readonly",
    "prometheus_rule_evaluation_failures_total", "prometheus_config_last_reload_successful",
    "prometheus_notifications_errors_total", "prometheus_notifications_dropped_total",
}  # fmt: skip
TARGET_LABELS = {"job", "service", "instance", "le"}


@dataclass(frozen=True)
class Rule:
    """One of a file: an alert or a recording rule."""

    file: str
    body: dict[str, Any]

    @property
    def name(self) -> str:
        name: str = self.body.get("alert") or self.body["record"]
        return name


def rules() -> Iterator[Rule]:
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from (Rule(file.name, body) for body in group["rules"])


EVERY = list(rules())
ALERTS = [rule for rule in EVERY if "alert" in rule.body]
RECORDED = {rule.name for rule in EVERY if "record" in rule.body}
LABELS = {
    series: set(metric.labels) for service in SERVICES for metric in catalogue(service) for series in metric.series
}

each_alert = pytest.mark.parametrize("rule", ALERTS, ids=[rule.name for rule in ALERTS])
each_rule = pytest.mark.parametrize("rule", EVERY, ids=[rule.name for rule in EVERY])


def tool(name: str, package: str, *arguments: str | Path) -> None:
    """Runs it, and shows what it says if it fails."""
    assert shutil.which(name), f"{name} isn't installed → sudo apt-get install -y {package}"
    done = subprocess.run([name, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", TESTS, ids=[file.stem for file in TESTS])
def test_alerts_fire_at_their_thresholds_and_not_before(file: Path) -> None:
    tool("promtool", "prometheus", "test", "rules", file)


def test_prometheus_takes_the_rules_and_alertmanager_its_routes() -> None:
    tool("promtool", "prometheus", "check", "rules", *RULES)
    tool("amtool", "prometheus-alertmanager", "check-config", FOLDER / "alertmanager.yml")


@each_alert
def test_an_alert_says_how_bad_it_is_what_it_is_and_where_to_read_on(rule: Rule) -> None:
    assert re.fullmatch(r"Plumbline[A-Z][A-Za-z]+", rule.name)
    assert rule.body["labels"]["severity"] in {"page", "ticket"}
    notes = rule.body["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert len(notes["summary"]) <= 120
    assert notes["runbook_url"] == f"docs/runbook.md#{rule.name.lower()}"
    assert notes["description"].endswith(".")


@each_alert
def test_an_alert_has_a_heading_in_the_runbook_that_tells_meaning_check_and_mend(rule: Rule) -> None:
    _, found, rest = RUNBOOK.partition(f"\n### {rule.name}\n")
    assert found
    section = re.split(r"^##+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    for part in ("**Meaning.**", "**Check.**", "**Mend.**"):
        assert part in section


@each_alert
def test_an_alert_is_seen_firing_by_a_test(rule: Rule) -> None:
    fired = re.findall(r'labels: ALERTS\{alertname="(\w+)",alertstate="firing"', "".join(f.read_text() for f in TESTS))
    assert rule.name in fired


def test_the_runbook_has_no_heading_of_an_alert_that_there_is_not_and_no_dead_link() -> None:
    headings = set(re.findall(r"^### (.+)$", RUNBOOK, re.MULTILINE))
    assert headings == {rule.name for rule in ALERTS}
    assert set(re.findall(r"\]\(#(\w+)\)", RUNBOOK)) <= {heading.lower() for heading in headings}


def test_the_routes_keep_quiet_of_alerts_that_there_are() -> None:
    routes = (FOLDER / "alertmanager.yml").read_text()
    assert set(re.findall(r"Plumbline[A-Z]\w+", routes)) <= {rule.name for rule in ALERTS}


def test_each_command_of_the_runbook_exists() -> None:
    known = typer.main.get_command(app)
    commands = getattr(known, "commands", {})
    spans = re.findall(r"`([^`\n]+)`", RUNBOOK)
    named = {part for span in spans for part in re.findall(r"plumbline ([a-z-]+)(?: ([a-z-]+))?", span)}
    assert named
    for command, second in named:
        assert command in commands, command
        below = getattr(commands[command], "commands", None)
        assert below is None or not second or second in below, f"{command} {second}"


def test_each_metric_of_the_runbook_exists() -> None:
    known = LABELS.keys() | RECORDED | FOREIGN | {name.removesuffix("_bucket") for name in LABELS}
    named = re.findall(
        r"\b((?:ingestion|aggregation|plumbline_api|plumbline_gateway|process|pipeline)[_:][a-z_:0-9]+)", RUNBOOK
    )
    assert {name for name in named if name not in known} == set()


@each_rule
def test_a_rule_asks_for_metrics_and_labels_that_there_are(rule: Rule) -> None:
    for name, labels in asked(rule.body["expr"]):
        assert name in LABELS.keys() | RECORDED | FOREIGN
        if name in LABELS:
            assert labels <= LABELS[name] | TARGET_LABELS


def asked(expression: str) -> Iterator[tuple[str, set[str]]]:
    """The metrics of an expression, each with the labels that it selects by."""
    plain = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    plain = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", " ", plain)
    plain = re.sub(r"\[[^\]]*\]|\boffset\s+\w+", " ", plain)
    for name, selector in re.findall(r"([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?(?!\s*\(|[\w:])", plain):
        if name not in {"and", "or", "unless", "bool"}:
            yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))


def test_the_metrics_of_an_expression_are_found() -> None:
    found = asked('sum by (a) (rate(x_total{b="c",d!~"e"}[5m])) / on (f) y:z:sum > 1.5 and absent(up offset 2m)')
    assert list(found) == [("x_total", {"b", "d"}), ("y:z:sum", set()), ("up", set())]
