"""The catalogue of metrics is what the services declare, and each says what it is."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from ops import metrics_doc
from ops.metrics_doc import LABELS, SERVICES, Declared, catalogue

ROOT = Path(__file__).parents[3]
PACKAGES = ("ingestion_service", "aggregation_service", "api_service", "simulator", "shared")
EVERY = [each for service in SERVICES for each in catalogue(service)]
UNITS = {
    "0 or 1", "attempts", "batches", "buckets", "bytes", "commits", "connections", "devices", "entries", "events",
    "listeners", "offsets", "partitions", "questions", "readings", "records", "requests", "rows", "runs", "seconds",
    "seconds since 1970", "tokens",
}  # fmt: skip

by_name = pytest.mark.parametrize("metric", EVERY, ids=[each.name for each in EVERY])


def test_the_document_is_what_the_code_declares() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text() == metrics_doc.text(), "→ make docs"


def test_no_metric_is_declared_beside_the_catalogue() -> None:
    declared = Counter(
        call.args[0].value.removesuffix("_total")
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in {"Counter", "Gauge", "Histogram", "Summary"}
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    )
    known = Counter(each.name.removesuffix("_total") for each in EVERY)
    assert declared == known, "→ name the class in ops/metrics_doc.py's SERVICES, then make docs"


@by_name
def test_a_metric_says_what_it_is_in_which_unit(metric: Declared) -> None:
    assert len(metric.meaning.split()) >= 3
    assert metric.unit in UNITS


@by_name
def test_labels_are_few_and_known(metric: Declared) -> None:
    assert set(metric.labels) <= LABELS.keys()


def test_no_label_is_explained_that_is_not_used() -> None:
    assert {label for metric in EVERY for label in metric.labels} == LABELS.keys()
