"""Macros and variables as Grafana fills them in."""

from datetime import UTC, datetime

import pytest

from tests.dashboards.expand import Window, promql, sql

WINDOW = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 3, tzinfo=UTC), interval=10)


def test_a_rate_sees_four_samples_at_least() -> None:
    assert promql("rate(a[$__rate_interval])", WINDOW, {}) == "rate(a[20s])"
    wide = Window(WINDOW.begin, WINDOW.end, interval=60)
    assert promql("rate(a[$__rate_interval]) > $__interval", wide, {}) == "rate(a[65s]) > 60s"


def test_several_values_are_a_regular_expression_or_a_list() -> None:
    values = {"partition": ["0", "1"], "all": ".*", "device": ["dev-1", "o'neill"]}
    assert promql('lag{partition=~"$partition",a=~"${all}"}', WINDOW, values) == 'lag{partition=~"(0|1)",a=~".*"}'
    assert sql("device_id IN (${device:sqlstring})", WINDOW, values) == "device_id IN ('dev-1','o''neill')"


def test_macros_name_the_time_range() -> None:
    begin, end = "'2026-01-01T00:00:00.000000Z'", "'2026-01-01T03:00:00.000000Z'"
    assert sql("WHERE $__timeFilter(ts)", WINDOW, {}) == f"WHERE ts BETWEEN {begin} AND {end}"
    assert sql("$__timeTo()::timestamptz - $__timeFrom()", WINDOW, {}) == f"{end}::timestamptz - {begin}"
    grouped = "SELECT floor(extract(epoch from bucket)/10)*10 AS time"
    assert sql("SELECT $__timeGroup(bucket, $__interval) AS time", WINDOW, {}) == grouped


def test_what_isn_t_known_is_an_error() -> None:
    with pytest.raises(KeyError, match="device"):
        sql("WHERE device_id = '$device'", WINDOW, {})
