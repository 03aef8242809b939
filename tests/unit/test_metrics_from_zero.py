"""Counters with a closed set of labels are there with 0 from the start: rate() misses what a new one begins with."""

from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

import aggregation_service.metrics
import api_service.gateway.metrics
import api_service.metrics
import api_service.query.metrics
import ingestion_service.metrics
import simulator.metrics
from shared.events import Code
from simulator.faults import Fault


def api(registry: CollectorRegistry) -> None:
    api_service.metrics.Metrics(registry).route("GET", "/stats", 200)


def aggregation(registry: CollectorRegistry) -> None:
    aggregation_service.metrics.Metrics(registry).expect([60])


@pytest.mark.parametrize(
    ("declare", "name", "label", "values"),
    [
        (
            ingestion_service.metrics.Metrics,
            "ingestion_events_total",
            "outcome",
            {"persisted", "duplicate", "conflict", "dead_letter"},
        ),
        (ingestion_service.metrics.Metrics, "ingestion_dead_letters_total", "code", set(Code)),
        (aggregation, "aggregation_devices_total", "reason", {"closed", "late"}),
        (aggregation, "aggregation_rows_total", "level", {"60"}),
        (api, "plumbline_api_requests_total", "status", {"500", "503"}),
        (api, "plumbline_api_requests_total", "route", {"/stats"}),
        (api, "plumbline_api_jwks_fetches_total", "outcome", {"ok", "failed"}),
        (api, "plumbline_api_database_failures_total", "kind", {"unavailable", "timeout"}),
        (api_service.query.metrics.QueryMetrics, "plumbline_api_questions_total", "way", {"desk", "walk"}),
        (api_service.query.metrics.QueryMetrics, "plumbline_api_rows_total", "source", {"memory", "database"}),
        (
            api_service.gateway.metrics.GatewayMetrics,
            "plumbline_gateway_events_total",
            "outcome",
            {"accepted", "unconfirmed", "forbidden_device", *Code},
        ),
        (
            api_service.gateway.metrics.GatewayMetrics,
            "plumbline_gateway_busy_total",
            "short",
            {"bytes", "events", "stalled", "away"},
        ),
        (simulator.metrics.Metrics, "simulator_events_sent_total", "fault", {fault.label for fault in Fault}),
        (simulator.metrics.Metrics, "simulator_http_requests_total", "status", {"2xx", "3xx", "4xx", "5xx", "none"}),
    ],
)
def test_it_counts_from_zero(
    declare: Callable[[CollectorRegistry], object], name: str, label: str, values: set[str]
) -> None:
    registry = CollectorRegistry()
    declare(registry)
    samples = [sample for family in registry.collect() for sample in family.samples if sample.name == name]
    assert {sample.labels[label] for sample in samples} >= values
    assert {sample.value for sample in samples} == {0.0}
