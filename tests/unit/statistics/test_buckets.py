from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.statistics.buckets import edges, parse_bucket

BERLIN, LORD_HOWE, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kolkata")


def at(text: str) -> np.datetime64:
    return np.datetime64(text, "us")


def texts(bucket: str, start: str, end: str, tz: ZoneInfo | timezone = UTC) -> list[str]:
    return [str(edge)[:16] for edge in edges(at(start), at(end), parse_bucket(bucket), tz)]


SECONDS = {"1m": 60, "15m": 900, "90m": 5400, "1h": 3600, "6h": 21600, "12h": 43200, "24h": 86400, "1d": 86400}
REFUSED = "m 0m 7m 25h 5h 2d 2w 1s 1M -1m 1.5h 01m 99999m"


@pytest.mark.parametrize(("text", "seconds"), [*SECONDS.items(), ("1w", 604_800), ("none", 0)])
def test_buckets_that_are_allowed(text: str, seconds: int) -> None:
    assert parse_bucket(text).seconds == seconds


@pytest.mark.parametrize("text", [*REFUSED.split(), "", " 1m", "1m\n"])
def test_buckets_that_are_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="1m, 15m, 1h"):
        parse_bucket(text)


def test_edges_cover_the_range_and_keep_their_nominal_places() -> None:
    assert texts("15m", "2026-01-01T00:07", "2026-01-01T00:31") == [
        "2026-01-01T00:00", "2026-01-01T00:15", "2026-01-01T00:30", "2026-01-01T00:45"]  # fmt: skip
    assert texts("1h", "2026-01-01T01:00", "2026-01-01T02:00") == ["2026-01-01T01:00", "2026-01-01T02:00"]
    assert texts("none", "2026-01-01T00:07", "2026-01-01T00:31") == ["2026-01-01T00:07", "2026-01-01T00:31"]
    assert texts("1h", "2026-01-01T02:00", "2026-01-01T02:00") == []


def test_weeks_begin_on_monday() -> None:
    assert texts("1w", "2026-01-01T00:00", "2026-01-12T00:01") == [
        "2025-12-29T00:00", "2026-01-05T00:00", "2026-01-12T00:00", "2026-01-19T00:00"]  # fmt: skip


def test_a_day_of_23_hours() -> None:
    day = edges(at("2026-03-28T23:00"), at("2026-03-29T22:00"), parse_bucket("1h"), BERLIN)
    assert len(day) == 24
    assert (np.diff(day) == np.timedelta64(1, "h")).all()
    assert texts("1d", "2026-03-29T05:00", "2026-03-29T06:00", BERLIN) == ["2026-03-28T23:00", "2026-03-29T22:00"]
    assert texts("6h", "2026-03-28T23:00", "2026-03-29T22:00", BERLIN) == [
        "2026-03-28T23:00", "2026-03-29T04:00", "2026-03-29T10:00", "2026-03-29T16:00", "2026-03-29T22:00"]  # fmt: skip
    # 02:00 isn't on the clock: its bucket of two hours begins with the jump to 03:00.
    assert texts("2h", "2026-03-28T23:00", "2026-03-29T02:00", BERLIN) == [
        "2026-03-28T23:00", "2026-03-29T01:00", "2026-03-29T02:00"]  # fmt: skip


def test_a_day_of_25_hours() -> None:
    day = edges(at("2026-10-24T22:00"), at("2026-10-25T23:00"), parse_bucket("1h"), BERLIN)
    assert len(day) == 26
    assert (np.diff(day) == np.timedelta64(1, "h")).all()
    assert len(edges(day[0], day[-1], parse_bucket("15m"), BERLIN)) == 101
    assert texts("6h", "2026-10-24T22:00", "2026-10-25T05:01", BERLIN) == [
        "2026-10-24T22:00", "2026-10-25T05:00", "2026-10-25T11:00"]  # fmt: skip


def test_zones_that_are_half_an_hour_off() -> None:
    assert texts("1h", "2026-01-01T00:00", "2026-01-01T01:00", KOLKATA) == [
        "2025-12-31T23:30", "2026-01-01T00:30", "2026-01-01T01:30"]  # fmt: skip
    # Lord Howe moves by 30 minutes: 02:00 shows 02:30, so the bucket from 02:00 has 30 minutes.
    assert texts("1h", "2026-10-03T14:31", "2026-10-03T16:00", LORD_HOWE) == [
        "2026-10-03T14:30", "2026-10-03T15:30", "2026-10-03T16:00"]  # fmt: skip


def test_a_midnight_that_the_clocks_skip_or_show_twice() -> None:
    beirut, havana, apia = ZoneInfo("Asia/Beirut"), ZoneInfo("America/Havana"), ZoneInfo("Pacific/Apia")
    assert texts("1d", "2026-03-28T22:00", "2026-03-29T01:00", beirut) == ["2026-03-28T22:00", "2026-03-29T21:00"]
    assert texts("1d", "2026-11-01T04:30", "2026-11-01T05:30", havana) == ["2026-11-01T04:00", "2026-11-02T05:00"]
    assert texts("1d", "2011-12-29T10:00", "2011-12-30T10:01", apia) == [
        "2011-12-29T10:00", "2011-12-30T10:00", "2011-12-31T10:00"]  # fmt: skip


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001 (made UTC below)
    st.integers(1, 5 * 86_400),
    st.sampled_from(["5m", "1h", "6h", "24h", "1d", "1w"]),
    st.sampled_from(
        ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Beirut", "America/Havana"]
    ),
)
def test_every_edge_is_a_multiple_on_the_wall_clock(start: datetime, seconds: int, name: str, zone: str) -> None:
    tz, bucket = ZoneInfo(zone), parse_bucket(name)
    end = start + timedelta(seconds=seconds)
    found = edges(np.datetime64(start), np.datetime64(end), bucket, tz)
    assert found[0] <= np.datetime64(start) < found[1]
    assert found[-2] < np.datetime64(end) <= found[-1]
    assert (np.diff(found) > np.timedelta64(0, "us")).all()
    for edge in found.astype("datetime64[s]").astype(int).tolist():
        wall = datetime.fromtimestamp(edge, tz)
        before = datetime.fromtimestamp(edge - 1, tz)
        seconds_of_day = wall.hour * 3600 + wall.minute * 60 + wall.second
        if wall.utcoffset() == before.utcoffset():
            assert seconds_of_day % min(bucket.seconds, 86_400) == 0
    if found.shape[0] > 2 and bucket.seconds < 86_400:
        regular = np.diff(found) == np.timedelta64(bucket.seconds, "s")
        assert (~regular).sum() <= 2 * (1 + seconds // (20 * 86_400))
