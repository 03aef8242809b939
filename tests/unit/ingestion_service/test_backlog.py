"""How far acks are behind, and how long a batch waits for that."""

import threading
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from ingestion_service.backlog import Backlog
from ingestion_service.metrics import Metrics


def made(most: int, hold_s: float = 5.0) -> tuple[Backlog, CollectorRegistry]:
    registry = CollectorRegistry()
    return Backlog(most, hold_s, Metrics(registry)), registry


def held(registry: CollectorRegistry) -> float:
    return registry.get_sample_value("ingestion_ack_held_seconds_total") or 0.0


def test_within_the_bound_nothing_waits() -> None:
    backlog, registry = made(2)
    backlog.add(2)
    backlog.hold()
    assert (held(registry), backlog.problem()) == (0, None)
    assert registry.get_sample_value("ingestion_ack_backlog") == 2


def test_beyond_the_bound_a_batch_waits_but_not_longer_than_the_other_bound() -> None:
    backlog, registry = made(2, hold_s=0.05)
    backlog.add(3)
    backlog.hold()
    assert 0.05 <= held(registry) < 2
    assert "acks are behind: 3 commits wait, ACK_BACKLOG_MAX is 2" in str(backlog.problem())


def test_once_there_is_room_a_batch_goes_on_at_once() -> None:
    backlog, registry = made(2, hold_s=60)
    backlog.add(3)
    waiting = threading.Thread(target=backlog.hold)
    waiting.start()
    backlog.found(0, None)
    waiting.join(10)
    assert not waiting.is_alive()
    assert (held(registry) < 10, backlog.problem()) == (True, None)


def test_what_was_told_waits_no_longer_and_what_came_meanwhile_does() -> None:
    backlog, registry = made(5)
    backlog.found(4, datetime.now(UTC) - timedelta(seconds=100))
    backlog.add(1)
    backlog.told(4)
    assert registry.get_sample_value("ingestion_ack_backlog") == 1
    assert (registry.get_sample_value("ingestion_ack_lag_seconds") or 0) < 10
    backlog.told(4)
    assert registry.get_sample_value("ingestion_ack_backlog") == 0
    assert registry.get_sample_value("ingestion_ack_lag_seconds") == 0


def test_without_a_bound_nothing_ever_waits() -> None:
    backlog, registry = made(0)
    backlog.add(1_000_000)
    backlog.hold()
    assert (held(registry), backlog.problem()) == (0, None)


def test_the_lag_is_the_age_of_the_oldest_at_the_time_of_asking() -> None:
    backlog, registry = made(2)
    assert registry.get_sample_value("ingestion_ack_lag_seconds") == 0
    backlog.found(1, datetime.now(UTC) - timedelta(seconds=100))
    backlog.add(1)  # a newer one changes nothing
    first = registry.get_sample_value("ingestion_ack_lag_seconds") or 0
    assert 100 <= first <= (registry.get_sample_value("ingestion_ack_lag_seconds") or 0) < 110
