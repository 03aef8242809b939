"""Whatever happens to the pipeline, GET /vital-data has the latest of all events that ever came, of each device."""

import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from shared.failpoints import Failpoints
from tests import servers
from tests.aggregated import DAY_S, put, rows, scheduler
from tests.answering import answering, api_settings
from tests.happenings import SPOTS, At, Cut, cut

# Metrics and how long before now, in s: few, so that events have timestamps and identities in common.
SETS = ((), ("x",), ("y",), ("x", "y"))
AGES = (-200, 0, 1, 30, 90, 3_600, 3_601, 2 * DAY_S, 3 * DAY_S, 40 * DAY_S)

Arrived = Sequence[tuple[str, int, tuple[str, ...]]]
arrivals = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(AGES), st.sampled_from(SETS)), min_size=1, max_size=6
)


class Latest(RuleBasedStateMachine):
    """`now` is the machine's own clock (s): the watermark follows it, not the real one."""

    def __init__(self, stack: Mapping[str, str]) -> None:
        super().__init__()
        self._open = ExitStack()
        self.database = self._open.enter_context(servers.database(stack))
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
        self.api = self._open.enter_context(answering(api_settings(self.database, folder)))
        self.values: dict[tuple[str, int, tuple[str, ...]], float] = {}
        self.now = 1_748_000_000

    def teardown(self) -> None:
        self._open.close()

    @rule(seconds=st.sampled_from([20, 90, 700, 4_000, 90_000]))
    def time_goes_on(self, seconds: int) -> None:
        self.now += seconds

    @rule(arrived=arrivals)
    def events_arrive(self, arrived: Arrived) -> None:
        fresh = {(device, self.now - age, own) for device, age, own in arrived} - self.values.keys()
        if fresh:
            self.values |= {event: float(len(self.values) + n) for n, event in enumerate(sorted(fresh))}
            with self.database.connect(autocommit=False) as connection:
                put(connection, [(one[0], one[1], dict.fromkeys(one[2], self.values[one])) for one in sorted(fresh)])

    @rule()
    def the_aggregator_runs(self) -> None:
        self.aggregate(Failpoints(""))

    @rule(spot=st.sampled_from(SPOTS), nth=st.integers(1, 4))
    def a_run_is_cut_off(self, spot: str, nth: int) -> None:
        self.aggregate(At(spot, nth, cut))

    @rule(spot=st.sampled_from(SPOTS), nth=st.integers(1, 3), arrived=arrivals)
    def events_arrive_during_a_run(self, spot: str, nth: int, arrived: Arrived) -> None:
        self.aggregate(At(spot, nth, partial(self.events_arrive, arrived)))

    @rule()
    def raw_events_are_dropped(self) -> None:
        """All days that are stored, and that nothing late waits for."""
        days = rows(
            self.database,
            """
            SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
            CROSS JOIN LATERAL (SELECT to_date(right(relname, 8), 'YYYYMMDD')::timestamptz AS day) AS at
            WHERE inhparent = 'events'::regclass
                AND day + interval '1 day' <= (SELECT until FROM materialized WHERE level = 60)
                AND NOT EXISTS (SELECT FROM dirty WHERE bucket >= day AND bucket < day + interval '1 day')
            """,
        )
        with self.database.connect() as connection:
            for (name,) in days:
                connection.execute(f"DROP TABLE {name}".encode())

    @invariant()
    def the_latest_is_the_latest(self) -> None:
        wanted = {}
        for device in sorted({device for device, _, _ in self.values}):
            last = min((one for one in self.values if one[0] == device), key=lambda one: (-one[1], one[2]))
            wanted[device] = (last[1], dict.fromkeys(last[2], self.values[last]))
        answer = self.api.get("/vital-data")
        assert answer.status_code == 200, answer.text
        found = {row["device_id"]: (_second(row["timestamp"]), row["data_payload"]) for row in answer.json()["rows"]}
        assert found == wanted

    def aggregate(self, failpoints: Failpoints) -> None:
        """A run whose watermark is the machine's clock; a cut one leaves its connections to be closed."""
        runner, _ = scheduler(self.database, failpoints, aggregation_chunk_readings=1_000)
        delay = max(0.0, time.time() - self.now)
        runner._settings = runner._settings.model_copy(update={"aggregation_delay_seconds": delay})
        try:
            assert runner.run_once(threading.Event())
        except Cut:
            pass
        finally:
            runner.close()


def _second(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp())


@pytest.mark.timeout(0)
def test_the_latest_event_is_never_another(stack: Mapping[str, str], pytestconfig: pytest.Config) -> None:
    examples = pytestconfig.getoption("--model-examples")
    course = settings(
        max_examples=examples, stateful_step_count=25, phases=[Phase.generate], database=None, deadline=None,
        print_blob=True, suppress_health_check=list(HealthCheck),
    )  # fmt: skip

    class Here(Latest):
        def __init__(self) -> None:
            super().__init__(stack)

    run_state_machine_as_test(Here, settings=course)
