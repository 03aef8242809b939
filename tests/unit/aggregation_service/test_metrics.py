"""What the aggregation tells Prometheus, also while a run hangs and while another process has the turn."""

import time
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from aggregation_service.metrics import Metrics
from aggregation_service.windows import Level
from shared.statistics import Partials
from shared.statistics.partials import empty

DELAY_S = 10.0


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    found = registry.get_sample_value(name, labels)
    assert found is not None, f"{name}{labels}"
    return found


def rows(device: list[int], minute: list[int]) -> Partials:
    count = np.ones(len(device), np.int64)
    bucket = (np.array(minute) * 60_000_000).astype("datetime64[us]")
    return replace(empty(), device=np.array(device, np.int32), bucket=bucket, count=count)


def test_a_bucket_is_overdue_once_it_could_have_been_stored(metrics: Metrics, registry: CollectorRegistry) -> None:
    now = int(time.time())
    metrics.stands(Level(60, watermark=now - 65, until=now - 100), DELAY_S)
    assert value(registry, "aggregation_overdue_seconds", level="60", step="close") == 0
    assert value(registry, "aggregation_overdue_seconds", level="60", step="store") == pytest.approx(30, abs=1.5)
    assert value(registry, "aggregation_watermark_age_seconds", level="60") == pytest.approx(65, abs=1.5)
    assert value(registry, "aggregation_stored_age_seconds", level="60") == pytest.approx(100, abs=1.5)


def test_ages_go_on_while_a_run_hangs(
    metrics: Metrics, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics.stands(Level(60, watermark=int(time.time()) - 500, until=None), DELAY_S)
    metrics.waits(3, 20.0)
    first = value(registry, "aggregation_overdue_seconds", level="60", step="close")
    waited = value(registry, "aggregation_dirty_age_seconds")
    later = time.time() + 60
    monkeypatch.setattr("aggregation_service.metrics.time.time", lambda: later)
    assert value(registry, "aggregation_overdue_seconds", level="60", step="close") >= first + 60
    assert value(registry, "aggregation_dirty_age_seconds") >= waited + 60 >= 80


def test_nothing_is_said_of_a_level_that_isnt_stored_at_all(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.stands(Level(60, watermark=None, until=None), DELAY_S)
    assert registry.get_sample_value("aggregation_stored_age_seconds", {"level": "60"}) is None


def test_no_late_data_has_no_age(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.waits(3, 20.0)
    metrics.waits(0, 0.0)
    assert value(registry, "aggregation_dirty_age_seconds") == 0


def test_who_has_not_the_turn_says_nothing_of_levels(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.stands(Level(60, watermark=100, until=100), DELAY_S)
    metrics.fleet(60, 100)
    metrics.waits(3, 20.0)
    metrics.rests()
    names = {sample.name for family in registry.collect() for sample in family.samples if "level" in sample.labels}
    assert not {name for name in names if name.endswith("_age_seconds") or "overdue" in name}
    assert value(registry, "aggregation_dirty_entries") == 0
    assert value(registry, "aggregation_dirty_age_seconds") == 0


@pytest.mark.parametrize(
    ("device", "minute", "buckets"),
    [
        ([], [], 0),
        ([1, 1, 1, 1], [5, 6, 5, 6], 2),  # two metrics
        ([1, 1, 2], [5, 6, 5], 3),
        ([1, 2, 2_000_000_000], [0, 29_000_000, 1], 3),  # far apart
    ],
)
def test_buckets_of_a_device_count_once(
    device: list[int], minute: list[int], buckets: int, metrics: Metrics, registry: CollectorRegistry
) -> None:
    metrics.expect([60])
    read = np.empty(0)
    made = metrics.made("late", 2, (read,) * 4, {60: rows(device, minute)})  # type: ignore[arg-type]
    assert made == (0, len(device))
    assert value(registry, "aggregation_buckets_total", level="60", reason="late") == buckets
    assert value(registry, "aggregation_devices_total", reason="late") == 2
    assert value(registry, "aggregation_buckets_total", level="60", reason="closed") == 0, "there from the start"
