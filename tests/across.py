"""What the tests of statistics across devices share: the aggregator's step, and the judgement of its rows."""

import threading
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from aggregation_service.fleet import Fleet
from aggregation_service.metrics import Metrics
from aggregation_service.settings import AggregationSettings
from aggregation_service.store import Store
from shared.failpoints import Failpoints
from shared.statistics import Partials, merge, quantiles, sums
from shared.statistics.stored import FLEET_SELECTED, SELECTED, decode_partials
from tests.aggregated import rows, run
from tests.servers import Database

LEVELS = (60, 3_600, 86_400)
FRACTIONS = np.array([0.0, 0.1, 0.5, 0.9, 0.999, 1.0])
Key = tuple[int, int]  # metric, bucket in µs


class At(Failpoints):
    """Does something, once, the nth time that a failpoint is reached."""

    def __init__(self, name: str, action: Callable[[], object], nth: int = 1) -> None:
        super().__init__("")
        self._name, self._action, self._left = name, action, nth

    def hit(self, name: str) -> None:
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                self._action()


class Stopped(Exception):
    """What a kill leaves behind: the transaction is rolled back."""


def stop() -> None:
    raise Stopped


def step(
    database: Database,
    failpoints: Failpoints | None = None,
    *,
    late: bool = False,
    once: bool = False,
    ended: threading.Event | None = None,
) -> CollectorRegistry:
    """The aggregator's step alone, once or until nothing is left; returns its metrics."""
    variables = {name.lower(): value for name, value in database.environment("aggregation").items()}
    store = Store(AggregationSettings.model_validate(variables).conninfo())
    stop, registry = ended or threading.Event(), CollectorRegistry()
    try:
        worker = Fleet(store, Metrics(registry), failpoints or Failpoints(""))
        while worker.run(stop, late=late, history=True) and not once:
            pass
    finally:
        store.close()
    return registry


def run_without(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of the aggregator that ends before the step."""
    with monkeypatch.context() as patch:
        patch.setattr(Fleet, "run", lambda *_, **__: False)
        run(database)


def across(database: Database, level: int) -> Partials:
    """The rows across devices."""
    return merge([copied(database, f"{FLEET_SELECTED} FROM fleet_stats s WHERE level = {level} GROUP BY metric")])


def of_devices(database: Database, level: int) -> Partials:
    """The rows of the devices."""
    return merge([copied(database, f"{SELECTED} FROM stats s WHERE level = {level} GROUP BY device, metric")])


def copied(database: Database, selected: str) -> Partials:
    with (
        database.connect() as connection,
        connection.cursor().copy(f"COPY (SELECT {selected}) TO STDOUT BINARY".encode()) as copy,
    ):
        return decode_partials(b"".join(copy))


def complete(database: Database, level: int) -> tuple[float, float, set[Key]]:
    """[since, until) in µs, and what is stale in it."""
    query = "SELECT level, extract(epoch FROM since)::float8, extract(epoch FROM until)::float8 FROM fleet_until"
    since, until = next(
        (since * 1e6, until * 1e6) for of_level, since, until in rows(database, query) if of_level == level
    )
    stale = rows(database, "SELECT level, metric, extract(epoch FROM bucket)::int8 * 1000000 FROM fleet_stale")
    return since, until, {(metric, bucket) for of_level, metric, bucket in stale if of_level == level}


def judged(database: Database) -> dict[int, int]:
    """How many rows there are by level, once each that isn't stale is what numpy makes of the raw events."""
    readings = rows(
        database,
        "SELECT m.id, (extract(epoch FROM ts) * 1000000)::int8, value FROM readings JOIN metrics m ON m.name = metric",
    )
    begun = rows(database, "SELECT level FROM fleet_until ORDER BY level")
    return {level: _judged(database, level, readings) for (level,) in begun}


def _judged(database: Database, level: int, readings: list[tuple[int, int, float]]) -> int:
    since, until, stale = complete(database, level)
    values: dict[Key, list[float]] = defaultdict(list)
    for metric, ts, value in readings:
        bucket = ts - ts % (level * 1_000_000)
        if since <= bucket < until and (metric, bucket) not in stale:
            values[metric, bucket].append(value)
    stored = across(database, level)
    answers, errors = quantiles(stored, FRACTIONS)
    keys = list(zip(stored.metric.tolist(), stored.bucket.view(np.int64).tolist(), strict=True))
    assert {key for key in keys if key not in stale} == values.keys()
    for number, key in enumerate(keys):
        if key in stale:
            continue
        own = np.array(values[key])
        found = (stored.count[number], stored.min[number], stored.max[number])
        assert found == (len(own), own.min(), own.max()), key
        assert sums(stored)[number] == pytest.approx(own.sum(), rel=1e-12), key
        low, high = (np.quantile(own, np.clip(FRACTIONS + sign * errors[number], 0, 1)) for sign in (-1, 1))
        assert (low - 1e-9 <= answers[number]).all(), key
        assert (answers[number] <= high + 1e-9).all(), key
        assert errors[number].max() <= 0.005
    return len(stored)


def fingerprint(database: Database) -> list[tuple[object, ...]]:
    """All rows, byte for byte."""
    return rows(database, "SELECT md5(string_agg(f::text, '' ORDER BY level, metric, bucket)) FROM fleet_stats f")


def forget(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("TRUNCATE fleet_stats, fleet_until, fleet_stale")
