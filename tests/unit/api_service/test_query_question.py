"""What parameters mean, and which are refused."""

from decimal import Decimal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.problems import Problem
from api_service.query import cursor, negotiation, question, times
from api_service.query.cursor import Cursor
from tests.unit.api_service.test_auth_bearer import Forge

NOW = 1_757_437_200_000_000  # 2025-09-09T17:00:00Z
HOUR, DAY = 3_600_000_000, 86_400_000_000


def span(**parameters: str) -> question.Span:
    pairs = tuple((name.rstrip("_"), value) for name, value in parameters.items())
    return question.resolve(question.read(pairs, 10_000), NOW, 100_000)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("now", NOW),
        ("-15m", NOW - 900_000_000),
        ("-24h", NOW - DAY),
        ("-7d", NOW - 7 * DAY),
        ("-2w", NOW - 14 * DAY),
        ("1757437200", NOW),
        ("1757437200.5", NOW + 500_000),
        ("1757437200250", NOW + 250_000),
        ("0", 0),
        ("-1", -1_000_000),
        ("2025-09-09T17:00:00Z", NOW),
        ("2025-09-09t19:00:00.1234567+02:00", NOW + 123_456),
        ("2025-09-09T19:00:00 02:00", NOW),
    ],
)
def test_times(text: str, micros: int) -> None:
    time = times.parse(text)
    assert time is not None
    assert time.at(NOW) == micros


NO_TIMES = ["", "yesterday", "2025-09-09", "2025-09-09T17:00:00", "24h", "-24x", "+1h", "1e9", "0001-01-01T00:00:00Z"]
NO_TIMES += ["9999-12-31T23:59:59Z", "2025-02-30T00:00:00Z", "9" * 20, "-99999999d", "١٢٣", "now ", "1.", "nan"]


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time(text: str) -> None:
    assert times.parse(text) is None


@given(st.integers(-2_208_988_800_000_000, 7_258_118_400_000_000))
def test_a_rendered_time_means_itself(micros: int) -> None:
    assert times.parse(times.render(micros)) == times.Time(micros, relative=False)


def test_defaults() -> None:
    asked = span()
    assert (asked.start, asked.end, asked.bucket.name) == (NOW - DAY, NOW, "5m")
    assert question.read((), 10_000).limit == 1_000
    assert question.read((), 10_000).percentiles == (Decimal(50), Decimal(90), Decimal(95), Decimal(99))


@pytest.mark.parametrize(
    ("back", "bucket"), [("-1h", "1m"), ("-24h", "5m"), ("-7d", "1h"), ("-300d", "1d"), ("-2000d", "1w")]
)
def test_auto_keeps_the_number_of_buckets_readable(back: str, bucket: str) -> None:
    assert span(from_=back).bucket.name == bucket
    assert span(from_=back).buckets <= 302


def test_names_of_percentiles_are_as_asked_without_superfluous_zeros() -> None:
    asked = question.read((("percentiles", "0,33.3,99.90,50.0,100,050,50"),), 10_000)
    assert [question.percentile_name(p) for p in asked.percentiles] == ["p0", "p33.3", "p99.9", "p50", "p100"]


REFUSED = [
    ("bucket", "7m"), ("bucket", "5h"), ("bucket", "2d"), ("bucket", "0m"), ("bucket", "60s"), ("bucket", "1.5h"),
    ("bucket", "1m'; DROP TABLE stats --"), ("bucket", "2w"), ("bucket", "-1h"), ("bucket", "99999m"),
    ("tz", "Mars/Base"), ("tz", "../../etc/passwd"), ("tz", "America"), ("tz", "/etc/localtime"), ("tz", "utc\0"),
    ("percentiles", "101"), ("percentiles", "-1"), ("percentiles", "50,,90"), ("percentiles", "nan"),
    ("percentiles", ",".join(str(n) for n in range(21))), ("percentiles", "1e1"),
    ("limit", "0"), ("limit", "-1"), ("limit", "1e3"), ("limit", "10001"), ("limit", "ten"), ("limit", "٣"),
    ("group", "metric"), ("fill", "zero"), ("metric", "a b"), ("metric", ""), ("metric", "x'--"), ("metric", "m" * 65),
    ("device_id", ""), ("device_id", "a\0b"), ("device_id", "d" * 129), ("device_id", " a"), ("device_id", "a\nb"),
    ("from", "-1x"), ("from", "2024-09-09"), ("to", "tomorrow"), ("cursor", "forged"), ("cursor", ""), ("cursor", "é"),
    ("unknown", "1"), ("from", "1'; SELECT pg_sleep(10) --"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_a_parameter_that_cannot_be_used_is_named_with_the_fix(
    client: httpx.Client, forge: Forge, name: str, value: str
) -> None:
    answer = client.get("/stats", params={name: value}, headers={"Authorization": f"Bearer {forge()}"})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == ("query" if name == "unknown" else name)
    assert len(value) < 4 or value not in answer.text


def test_all_errors_come_at_once(client: httpx.Client, forge: Forge) -> None:
    query = "bucket=7m&tz=x&from=x&from=y&device_id=a&device_id=b"
    answer = client.get(f"/stats?{query}", headers={"Authorization": f"Bearer {forge()}"})
    assert {error["field"] for error in answer.json()["errors"]} == {"bucket", "tz", "from"}


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"from_": "now", "to": "-1h"}, "from"),
        ({"from_": "1990-01-01T00:00:00Z", "bucket": "1m"}, "bucket"),
        ({"from_": "-100d", "bucket": "1m"}, "bucket"),
    ],
)
def test_ranges_that_are_refused(parameters: dict[str, str], field: str) -> None:
    with pytest.raises(Problem) as refused:
        span(**parameters)
    assert [error.field for error in refused.value.errors] == [field]


def test_no_time_is_before_1900() -> None:
    assert times.render(span(from_="-9999999w", bucket="none").start) == "1900-01-01T00:00:00Z"
    assert span(to="1900-01-01T00:00:00Z", bucket="none").buckets == 0


def test_an_empty_range_has_no_buckets() -> None:
    assert span(from_="now", to="now").buckets == 0


CURSOR = Cursor("stats", (("metric", "m"), ("from", "-1h")), (("from", "2025-09-09T16:00:00Z"),), ("dev-1", "m", NOW))


def test_a_cursor_survives_its_text() -> None:
    assert cursor.decode(cursor.encode(CURSOR), "stats") == CURSOR


@given(st.data())
def test_a_cursor_that_was_changed_anywhere_is_refused(data: st.DataObject) -> None:
    text = cursor.encode(CURSOR)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_").filter(lambda c: c != text[at]))
    with pytest.raises(Problem):
        cursor.decode(text[:at] + other + text[at + 1 :], "stats")


@pytest.mark.parametrize(
    "wrong", [cursor.encode(CURSOR)[:-1], cursor.encode(CURSOR) + "A", cursor.encode(CURSOR) + "="]
)
def test_a_cursor_has_one_form(wrong: str) -> None:
    with pytest.raises(Problem):
        cursor.decode(wrong, "stats")


def test_a_cursor_is_of_one_route() -> None:
    with pytest.raises(Problem):
        cursor.decode(cursor.encode(CURSOR), "devices")


def test_a_cursor_takes_its_own_question_only() -> None:
    free = ("limit", "cursor")
    wanted = [("metric", "m"), ("from", "2025-09-09T16:00:00Z"), ("limit", "5")]
    assert cursor.merge(CURSOR, [("limit", "5")], free) == wanted
    assert cursor.merge(CURSOR, [("from", "-1h"), ("metric", "m"), ("limit", "5")], free) == wanted
    with pytest.raises(Problem):
        cursor.merge(CURSOR, [("metric", "other")], free)


def test_without_accept_it_is_json() -> None:
    assert negotiation.choose(None) == negotiation.JSON
    assert negotiation.choose("text/csv;q=nonsense, application/json;q=0.1") == negotiation.JSON
