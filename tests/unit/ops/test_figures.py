"""The demo's live figures."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ops import broker, figures
from ops.demo import limit
from ops.figures import Figures
from shared.errors import ConfigurationError

NOW = datetime(2025, 9, 9, 17, tzinfo=UTC)
ROW = {"device_id": "dev-1", "metric": "t", "start": "2025-09-09T17:00:00Z", "count": 60, "min": 1.0, "avg": 2.0,
       "max": 3.0, "p50": 2.0, "p99": None}  # fmt: skip
LOOK = Figures(
    at=100.0, events=1_000, duplicates=2, dead_letters=1, lag=7, watermark=None, materialized=None, statistics=None
)


def test_the_rate_is_what_was_added_between_two_looks() -> None:
    assert figures.rate(LOOK, replace(LOOK, at=102.0, events=2_000)) == 500.0


def test_a_pipeline_without_a_watermark_or_statistics_says_so() -> None:
    lines = figures.lines(LOOK, replace(LOOK, at=101.0), NOW)
    assert (lines["watermark"], lines["statistics"]) == ("none yet", "none yet")


def test_figures_are_readable_for_people() -> None:
    after = replace(LOOK, at=101.0, events=13_000, watermark=NOW - timedelta(seconds=90), statistics=ROW)
    lines = figures.lines(LOOK, after, NOW)
    assert lines["events/s"] == "12,000"
    assert lines["watermark"] == "90 s behind"
    assert lines["statistics"] == "dev-1 t 2025-09-09T17:00:00Z: count 60 min 1 avg 2 max 3 p50 2 p99 -"


def test_lag_counts_what_a_partition_holds_that_nobody_has_read() -> None:
    ends = {("t", 0): (5, 15), ("t", 1): (0, 4), ("t", 2): (0, 3)}
    assert broker.lag(ends, {("t", 0): 12, ("t", 2): 3}) == 3 + 4


@pytest.mark.parametrize(("text", "seconds"), [(None, None), ("", None), ("60", 60.0)])
def test_the_demos_limit(text: str | None, seconds: float | None) -> None:
    assert limit(text) == seconds


@pytest.mark.parametrize("text", ["0", "-1", "1m", "1.5", "²"])
def test_a_limit_that_is_no_number_of_seconds_is_bad_configuration(text: str) -> None:
    with pytest.raises(ConfigurationError, match="DEMO_SECONDS"):
        limit(text)
