"""Times and durations as operators type them."""

from datetime import UTC, datetime, timedelta

import pytest

from ops.moments import duration, moment, rfc3339
from shared.errors import PlumblineError
from shared.statistics.buckets import bucket_name, parse_bucket

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-2h", NOW - timedelta(hours=2)),
        ("-1d", NOW - timedelta(days=1)),
        ("2026-11-21T09:00:00+01:00", NOW),
        (str(int(NOW.timestamp())), NOW),
        (str(int(NOW.timestamp() * 1000)), NOW),
    ],
)
def test_a_moment_is_read(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "2h", "+2h", "2026-11-21", "2026-11-21T09:00:00", "", "-2y"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(PlumblineError, match="is no time → "):
        moment(text, NOW)


def test_a_duration_has_a_sign_and_a_unit() -> None:
    assert duration("-90s") == timedelta(seconds=-90)
    assert duration("+250ms") == duration("250ms") == timedelta(milliseconds=250)
    for text in ("1", "h", "1.5h", "--1h", "1w"):
        with pytest.raises(PlumblineError, match="is no duration"):
            duration(text)


def test_a_moment_is_written_in_utc() -> None:
    assert rfc3339(moment("2026-11-21T09:00:00.1234569+01:00", NOW)) == "2026-11-21T08:00:00.123456Z"


@pytest.mark.parametrize(("width", "name"), [(60, "1m"), (900, "15m"), (3_600, "1h"), (21_600, "6h"), (86_400, "1d")])
def test_widths_have_the_names_that_users_write(width: int, name: str) -> None:
    assert bucket_name(width) == name
    assert parse_bucket(name).seconds == width
