"""Every log call of the services is of a declared event, at its level and with its fields; docs/logs.md lists them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import aggregation_service.log_events
import api_service.log_events
import ingestion_service.log_events
import simulator.log_events
from ops import logs_doc
from shared.log_events import COMMON, FIELDS, LogEvent

ROOT = Path(__file__).parents[2]
EVENTS = {
    "ingestion_service": ingestion_service.log_events.EVENTS,
    "aggregation_service": aggregation_service.log_events.EVENTS,
    "api_service": api_service.log_events.EVENTS,
    "simulator": simulator.log_events.EVENTS,
    "shared": (),
}
LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class Call:
    """`event` and `fields` are None where they can't be read from the code."""

    where: str
    level: str
    event: str | None
    fields: frozenset[str | None]


def is_log(node: ast.expr) -> bool:
    """`_log`, `self._log`, or a logger that was just made."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) == "log.get"
    return (isinstance(node, ast.Name) and node.id == "_log") or (
        isinstance(node, ast.Attribute) and node.attr == "_log"
    )


def calls(package: str) -> Iterator[Call]:
    for path in sorted((ROOT / package).rglob("*.py")):
        tree = ast.parse(path.read_text())
        called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and is_log(node.value):
                call = called.get(id(node))
                first = call.args[0] if call and len(call.args) == 1 else None
                event = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
                fields = frozenset(keyword.arg for keyword in call.keywords) if call else frozenset()
                yield Call(f"{path.relative_to(ROOT)}:{node.lineno}", node.attr, event, fields)


@pytest.mark.parametrize("package", EVENTS)
def test_what_is_logged_is_declared(package: str) -> None:
    declared: dict[str | None, LogEvent] = {event.name: event for event in (*COMMON, *EVENTS[package])}
    found = list(calls(package))
    assert found
    for call in found:
        assert call.event in declared, f"{call.where}: {call.event} → declare it in {package}/log_events.py"
        event = declared[call.event]
        assert call.level == event.level, f"{call.where}: {event.name} is declared as {event.level}"
        assert call.fields <= set(event.fields), f"{call.where}: {event.name} has the fields {event.fields}"


@pytest.mark.parametrize("package", EVENTS)
def test_loggers_have_the_name_that_this_test_looks_for(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and is_log(node.value):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                assert all(map(is_log, targets)), f"{path}:{node.lineno}: a logger is _log or self._log"
            if isinstance(node, ast.Import | ast.ImportFrom) and path.name not in ("log.py", "otel.py", "kafka.py"):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None)]
                assert not {"logging", "structlog"} & set(names), f"{path}:{node.lineno}: shared.log is the way"


def test_nothing_is_declared_in_vain() -> None:
    logged = {call.event for package in EVENTS for call in calls(package)} | {"library"}
    declared = [event for events in (COMMON, *EVENTS.values()) for event in events]
    assert {event.name for event in declared} <= logged
    assert {field for event in declared for field in event.fields} == set(FIELDS)
    for package, events in EVENTS.items():
        names = [event.name for event in (*COMMON, *events)]
        assert len(set(names)) == len(names), package


def test_the_catalogue_is_current() -> None:
    assert (ROOT / "docs" / "logs.md").read_text() == logs_doc.text(), "run make docs"
