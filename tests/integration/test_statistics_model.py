"""Events arrive, aggregators run or are cut off, operators rebuild; whatever is asked in between is answered right.

A stateful model on the real Postgres: one API process lives through all steps, so that a cache which outlives its
truth is seen. `pytest tests/integration/test_statistics_model.py --model-examples 500` looks longer.
"""

import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ops.backfill import work
from ops.backfill.work import Asked
from ops.verify.commands import Asked as Looked
from ops.verify.commands import run as verify
from shared.failpoints import Failpoints
from tests import servers
from tests.aggregated import Event, put, rows, scheduler
from tests.answering import answering, api_settings
from tests.happenings import DEVICES, METRICS, SPOTS, At, Cut, ages, arrivals, cut
from tests.reference import DAY, MINUTE, SECOND, Reading, check_row, edges

# A few hours before clocks change in Berlin, and after they did or before they do elsewhere.
BEGINNINGS = [datetime(2025, 3, 29, 20, tzinfo=UTC), datetime(2025, 10, 25, 20, tzinfo=UTC)]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
BUCKETS = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "3h": 180, "6h": 360, "1d": 1_440, "1w": 10_080}
MOST_BUCKETS = 400
SHORT = 20  # examples


class Pipeline(RuleBasedStateMachine):
    """`now` is the machine's own clock (µs): the watermark follows it, not the real one."""

    def __init__(self, stack: Mapping[str, str]) -> None:
        super().__init__()
        self._open = ExitStack()
        self.database = self._open.enter_context(servers.database(stack))
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
        self.api = self._open.enter_context(answering(api_settings(self.database, folder)))
        self.readings: list[Reading] = []
        self.known: set[tuple[str, int, tuple[str, ...]]] = set()
        self.now = 0

    def teardown(self) -> None:
        self._open.close()

    @initialize(beginning=st.sampled_from(BEGINNINGS))
    def begin(self, beginning: datetime) -> None:
        self.now = round(beginning.timestamp()) * SECOND

    # What happens

    @rule(seconds=st.sampled_from([20, 90, 700, 4_000, 30_000, 90_000]))
    def time_goes_on(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule(arrived=arrivals)
    def events_arrive(self, arrived: Sequence[tuple[str, float, dict[str, float]]]) -> None:
        self.arrive([(device, self.now - round(age * 1e6), own) for device, age, own in arrived])

    @rule(device=st.sampled_from(DEVICES), age=ages, seed=st.integers(0, 99), count=st.integers(401, 1_500))
    def many_events_arrive(self, device: str, age: float, seed: int, count: int) -> None:
        """More in an hour than a summary holds."""
        random = np.random.default_rng(seed)
        at = self.now - round(age * 1e6) - random.integers(0, 3_600 * SECOND, count)
        drawn = random.choice([random.normal(1_013, 2, count), random.lognormal(0, 2, count), np.zeros(count)])
        self.arrive([(device, int(ts), {"x": float(value)}) for ts, value in zip(at, drawn, strict=True)])

    @rule()
    def the_aggregator_runs(self) -> None:
        self.aggregate(Failpoints(""))

    @rule(spot=st.sampled_from(SPOTS), nth=st.integers(1, 4))
    def a_run_is_cut_off(self, spot: str, nth: int) -> None:
        self.aggregate(At(spot, nth, cut))

    @rule(spot=st.sampled_from(SPOTS), nth=st.integers(1, 3), arrived=arrivals)
    def events_arrive_during_a_run(
        self, spot: str, nth: int, arrived: Sequence[tuple[str, float, dict[str, float]]]
    ) -> None:
        self.aggregate(At(spot, nth, partial(self.events_arrive, arrived)))

    @rule(days=st.integers(1, 70), length=st.integers(1, 70), level=st.sampled_from([None, "1m", "1h", "1d"]))
    def an_operator_rebuilds(self, days: int, length: int, level: str | None) -> None:
        if not self.stored():
            return
        start = self.now // SECOND - days * 86_400
        asked = Asked(str(start), str(start + length * 86_400), level, fleet=length % 2 == 0)
        if level is None or BUCKETS[level] * 60 in self.stored():
            work.run(self.database.environment(), asked, lambda _: None)

    @rule(level=st.sampled_from([60, 3_600, 86_400]), length=st.integers(1, 3))
    def rows_are_spoilt_and_mended(self, level: int, length: int) -> None:
        with self.database.connect() as connection:
            connection.execute("UPDATE stats SET sum = sum + 1, count = count + 1 WHERE level = %s", [level])
        if level in self.stored():
            first = min((reading.ts for reading in self.readings), default=self.now)
            asked = Asked(str(first // SECOND), str(self.now // SECOND + length))
            work.run(self.database.environment(), asked, lambda _: None)

    @rule()
    def an_operator_verifies(self) -> None:
        """What verify skips as late events wait may have been spoilt above, and is not mended before the next run."""
        report = verify(self.database.environment(), Looked(days=100))
        waits = rows(self.database, "SELECT EXISTS (SELECT FROM dirty)") == [(True,)]
        wrong = [found for found in report["differences"] if found["device_id"] or not waits]
        assert not wrong, wrong[:5]

    # What is asked

    @rule(
        bucket=st.sampled_from(sorted(BUCKETS)), tz=st.sampled_from(ZONES), age=ages, length=st.floats(1, 1e6),
        devices=st.sets(st.sampled_from(DEVICES), min_size=1), own=st.sets(st.sampled_from(METRICS), min_size=1),
        fleet=st.booleans(), percentiles=st.sets(st.sampled_from([0, 1, 33.3, 50, 90, 99.9, 100]), min_size=1),
        whole=st.booleans(), limit=st.sampled_from([7, 10_000]),
    )  # fmt: skip
    def a_question_is_answered(self, **asked: Any) -> None:
        self.answer(**asked)

    @invariant()
    @precondition(lambda self: self.readings)
    def the_whole_is_right(self) -> None:
        """After every step: all that is near now, by the level that is read most."""
        for bucket, age in (("1h", 0.0), ("1d", 4 * 86_400.0)):
            self.answer(bucket, "UTC", age, 90_000.0, set(DEVICES), set(METRICS), bucket == "1d", {50.0}, True, 10_000)

    # How

    def arrive(self, events: Sequence[tuple[str, int, dict[str, float]]]) -> None:
        """Commits events that aren't known, as ingestion does."""
        fresh: list[tuple[str, int, dict[str, float]]] = []
        for device, ts, own in events:
            key = (device, ts, tuple(sorted(own)))
            if key not in self.known:
                self.known.add(key)
                fresh.append((device, ts, own))
        if not fresh:
            return
        with self.database.connect(autocommit=False) as connection:
            marks: list[Event] = [(device, ts / 1e6, own) for device, ts, own in fresh]
            put(connection, marks)
            stored = _marks(connection, "materialized", "until")
            closed = max(_marks(connection, "watermarks", "watermark").values(), default=-(2**62))
        for device, ts, own in fresh:
            late = ts < closed
            self.readings += [Reading(device, name, ts, value, late, stored) for name, value in own.items()]

    def aggregate(self, failpoints: Failpoints) -> None:
        """A run whose watermark is the machine's clock; a cut one leaves its connections to be closed."""
        runner, _ = scheduler(self.database, failpoints, aggregation_chunk_readings=1_000)
        delay = max(0.0, time.time() - self.now / SECOND)
        runner._settings = runner._settings.model_copy(update={"aggregation_delay_seconds": delay})
        try:
            assert runner.run_once(threading.Event())
        except Cut:
            pass
        finally:
            runner.close()

    def stored(self) -> dict[int, int]:
        """How far each level (s) is stored (µs)."""
        with self.database.connect() as connection:
            return _marks(connection, "materialized", "until")

    def answer(
        self, bucket: str, tz: str, age: float, length: float, devices: set[str], own: set[str], fleet: bool,
        percentiles: set[float], whole: bool, limit: int,
    ) -> None:  # fmt: skip
        """Asks, follows the pages, and compares with the readings."""
        devices &= {reading.device for reading in self.readings}
        if not devices:
            return
        minutes = BUCKETS[bucket]
        end = self.now - round(age * 1e6)
        start = end - min(round(length * 1e6), MOST_BUCKETS * minutes * MINUTE, 80 * DAY)
        bounds = edges(start, end, minutes, tz)
        if whole:
            start, end = bounds[0], bounds[-1]
        asked = {
            "from": _text(start), "to": _text(end), "bucket": bucket, "tz": tz, "device_id": sorted(devices),
            "metric": sorted(own), "group": "none" if fleet else "device", "limit": limit,
            "percentiles": ",".join(f"{percentile:g}" for percentile in sorted(percentiles)),
        }  # fmt: skip
        wanted: dict[tuple[str | None, str, int], list[Reading]] = {}
        for reading in self.readings:
            if reading.device in devices and reading.metric in own and start <= reading.ts < end:
                at = bounds[int(np.searchsorted(bounds, reading.ts, "right")) - 1]
                wanted.setdefault((None if fleet else reading.device, reading.metric, at), []).append(reading)
        told = self.ask(asked)
        assert list(told) == sorted(wanted, key=lambda key: (key[0] or "", *key[1:])), asked
        for key, row in told.items():
            check_row(row, [reading.value for reading in wanted[key]], sorted(percentiles))
            finish = bounds[bounds.index(key[2]) + 1]
            assert _micros(row["end"]) == finish
            self.check_late(row, wanted[key], whole=start <= key[2] and finish <= end)

    def check_late(self, row: Mapping[str, Any], readings: Sequence[Reading], *, whole: bool) -> None:
        """`final` by watermark and log; `late` between what came after its level was stored and what was logged."""
        start, end = _micros(row["start"]), _micros(row["end"])
        names = {reading.device for reading in readings}
        with self.database.connect() as connection:
            closed = min(_marks(connection, "watermarks", "watermark").items(), default=(0, -(2**62)))[1]
            waiting = connection.execute(
                "SELECT count(*) FROM dirty p JOIN devices d ON d.id = p.device JOIN layouts l ON l.id = p.layout"
                " WHERE d.device_id = ANY (%s) AND %s = ANY (l.metrics) AND p.bucket >= %s AND p.bucket < %s",
                [sorted(names), row["metric"], row["start"], row["end"]],
            ).fetchall()[0][0]
        if whole:
            assert row["final"] == (end <= closed and not waiting)
            assert row["late"] <= sum(reading.late for reading in readings)
            width = (end - start) // SECOND
            assert row["late"] >= sum(reading.stored.get(width, -(2**62)) >= end for reading in readings)
        assert 0 <= row["late"] <= row["count"]

    def ask(self, asked: dict[str, Any]) -> dict[tuple[str | None, str, int], dict[str, Any]]:
        """All rows of all pages."""
        found: dict[tuple[str | None, str, int], dict[str, Any]] = {}
        parameters = dict(asked)
        while True:
            page = self.get(parameters)
            for row in page["rows"]:
                key = (row["device_id"], row["metric"], _micros(row["start"]))
                assert key not in found
                found[key] = row
            if page["next_cursor"] is None:
                return found
            parameters = {"cursor": page["next_cursor"], "limit": asked["limit"]}

    def get(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """A page; a busy machine may take a second try."""
        for _ in range(5):
            answer = self.api.get("/stats", params=parameters)
            if answer.status_code != 503:
                break
        assert answer.status_code == 200, (answer.text, parameters)
        return dict(answer.json())


def _marks(connection: psycopg.Connection, table: str, column: str) -> dict[int, int]:
    query = f"SELECT level, (extract(epoch FROM {column}) * 1000000)::int8 FROM {table} WHERE isfinite({column})"  # noqa: S608
    return dict(connection.execute(query.encode()).fetchall())


def _text(micros: int) -> str:
    return datetime.fromtimestamp(micros // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{micros % SECOND:06}Z"


def _micros(text: str) -> int:
    when = datetime.fromisoformat(text)
    return int(when.replace(microsecond=0).timestamp()) * SECOND + when.microsecond


@pytest.mark.timeout(0)
def test_whatever_happens_the_answers_are_right(stack: Mapping[str, str], pytestconfig: pytest.Config) -> None:
    examples = pytestconfig.getoption("--model-examples")
    # What fails is made short only where there is time for it.
    phases = [Phase.generate] if examples <= SHORT else [Phase.generate, Phase.shrink]
    course = settings(
        max_examples=examples, stateful_step_count=20, phases=phases, database=None, deadline=None, print_blob=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip

    class Here(Pipeline):
        def __init__(self) -> None:
            super().__init__(stack)

    run_state_machine_as_test(Here, settings=course)
