"""How far behind the database is, while it stores and while nothing is read."""

from collections.abc import Collection

import pytest
from prometheus_client import CollectorRegistry

from ingestion_service.batch import Batch
from ingestion_service.lag import Lag, LagWatch
from ingestion_service.metrics import Metrics
from tests.unit.ingestion_service.records import NOW_US, FakeRecord, batch, claims, event

NOW = NOW_US / 1_000_000  # when all records of these tests came to Kafka


def standing(*partitions: int) -> Lag:
    lag = Lag()
    for number in partitions:
        lag.stored(number, 0)
    return lag


def read(*offsets: int) -> Batch:
    found = batch([FakeRecord(0, offset, event("d", offset, a=1)) for offset in offsets], claims(0, at=offsets[0]))
    assert found is not None
    return found


def test_nothing_waits_where_the_log_ends_at_what_is_stored() -> None:
    lag = standing(0)
    lag.ended({0: 0}, NOW)
    assert lag.now(NOW + 100) == {0: (0, 0.0)}


def test_what_waits_ages_while_nothing_is_read() -> None:
    lag = standing(0)
    for second in range(300):
        lag.ended({0: 10 * second}, NOW + second)
    messages, seconds = lag.now(NOW + 300)[0]
    assert (messages, seconds) == (2990, 299)


def test_records_that_were_read_are_as_old_as_kafka_says() -> None:
    lag = standing(0)
    lag.ended({0: 3}, NOW + 50)  # they were there when we came
    assert lag.now(NOW + 60)[0] == (3, 10)
    lag.read(read(0, 1))
    assert lag.now(NOW + 60)[0] == (3, 60)
    lag.stored(0, 2)
    assert lag.now(NOW + 60)[0] == (1, 10)
    lag.stored(0, 3)
    assert lag.now(NOW + 60)[0] == (0, 0)


def test_an_idle_hour_does_not_age_the_record_after_it() -> None:
    lag = standing(0)
    lag.ended({0: 5}, NOW)
    lag.stored(0, 5)
    for second in range(0, 3_600, 10):
        lag.ended({0: 5}, NOW + second)
    lag.ended({0: 6}, NOW + 3_600)
    assert lag.now(NOW + 3_602)[0] == (1, 2)


def test_a_long_standstill_takes_little_memory_and_keeps_its_age() -> None:
    lag = standing(0)
    for second in range(10_000):
        lag.ended({0: second}, NOW + second)
    assert lag.now(NOW + 10_000)[0] == (9_999, 9_999)
    assert len(lag._standings[0].marks) <= 128


def test_a_database_that_went_back_has_more_to_store() -> None:
    lag = standing(0)
    lag.stored(0, 100)
    lag.ended({0: 100}, NOW)
    lag.stored(0, 40)
    lag.ended({0: 100}, NOW + 1)
    assert lag.now(NOW + 6)[0] == (60, 5)


class Ends:
    """Kafka, as the watch asks it."""

    def __init__(self) -> None:
        self.known: dict[int, int | None] = {}

    def __call__(self, partitions: Collection[int]) -> dict[int, int | None]:
        return {number: self.known[number] for number in partitions if number in self.known}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_the_gauges_follow_kafka_and_say_when_it_is_away(registry: CollectorRegistry) -> None:
    lag, ends = standing(0, 1), Ends()
    watch = LagWatch(lag, ends, Metrics(registry))
    ends.known = {0: 7, 1: 0}
    watch.look()
    assert registry.get_sample_value("ingestion_lag_messages", {"partition": "0"}) == 7
    assert registry.get_sample_value("ingestion_lag_seconds", {"partition": "1"}) == 0
    before = registry.get_sample_value("ingestion_lag_seconds", {"partition": "0"})
    ends.known = {}
    watch.look()
    assert registry.get_sample_value("ingestion_lag_messages", {"partition": "0"}) == 7
    assert registry.get_sample_value("ingestion_kafka_up") == 0
    after = registry.get_sample_value("ingestion_lag_seconds", {"partition": "0"})
    assert before is not None
    assert after is not None
    assert after > before
    ends.known = {0: 7, 1: 0}
    watch.look()
    assert registry.get_sample_value("ingestion_kafka_up") == 1


def test_whether_kafka_answers_is_known_without_partitions(registry: CollectorRegistry) -> None:
    lag, ends = Lag(), Ends()
    watch = LagWatch(lag, ends, Metrics(registry))
    watch.look()
    assert registry.get_sample_value("ingestion_kafka_up") == 0
    ends.known = {0: 5}
    watch.look()
    assert registry.get_sample_value("ingestion_kafka_up") == 1
    assert registry.get_sample_value("ingestion_lag_messages", {"partition": "0"}) is None


def test_a_broker_that_refuses_is_not_away(registry: CollectorRegistry) -> None:
    lag, ends = standing(0, 1), Ends()
    watch = LagWatch(lag, ends, Metrics(registry))
    ends.known = {0: None, 1: None}
    watch.look()
    assert registry.get_sample_value("ingestion_kafka_up") == 1


def test_gauges_of_partitions_that_went_to_others_vanish(registry: CollectorRegistry) -> None:
    lag, ends = standing(0, 1), Ends()
    watch = LagWatch(lag, ends, Metrics(registry))
    ends.known = {0: 1, 1: 2}
    watch.look()
    lag.reset()
    lag.stored(1, 0)
    watch.look()
    assert registry.get_sample_value("ingestion_lag_messages", {"partition": "0"}) is None
    assert registry.get_sample_value("ingestion_lag_messages", {"partition": "1"}) == 2
