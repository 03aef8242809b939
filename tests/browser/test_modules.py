"""What the page decides without a document: views and fragments, times, events of a stream, rows, commands."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.site import Site

Evaluate = Callable[..., Any]


@pytest.fixture(scope="module")
def decided(browser: Browser, served: Site) -> Any:
    """Evaluates an expression with a module of the page as `m` and further values as `a`."""
    page = browser.new_page(base_url=served.url)
    page.goto("/")

    def evaluate(module: str, expression: str, *values: object) -> Any:
        return page.evaluate(f"([...a]) => import('/web/{module}.js').then(m => {expression})", list(values))

    yield evaluate
    page.close()


@pytest.mark.parametrize(
    "fragment",
    [
        "#from=-24h&live=1",
        "#device_id=dev-1&device_id=dev-2&metric=temp&from=-7d&bucket=1h&percentiles=50,99.9&tz=Europe/Berlin&live=1",
        "#device_id=a%26b%20%2Bc%23&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z",
        "#metric=temp&group=none&from=-1h&show=band,avg",
        "#view=fleet&q=boiler&sort=late",
    ],
)
def test_a_fragment_is_its_view(decided: Evaluate, fragment: str) -> None:
    assert decided("view", "m.format(m.parse(a[0]))", fragment) == fragment


def test_nothing_in_the_address_is_the_first_view_and_it_is_live(decided: Evaluate) -> None:
    assert decided("view", "m.format(m.parse(''))") == "#from=-24h&live=1"
    assert decided("view", "m.asks(m.parse(''))") is False
    assert decided("view", "m.parse('#device_id=dev-1').live") is False


def test_a_view_asks_stats_for_what_differs_from_its_defaults(decided: Evaluate) -> None:
    view = "#device_id=dev-1&metric=temp&from=-24h&bucket=auto&tz=UTC&live=1&show=avg"
    pairs = [["device_id", "dev-1"], ["metric", "temp"], ["from", "-24h"]]
    assert decided("view", "m.parameters(m.parse(a[0]))", view) == pairs
    assert decided("view", "m.percentileNames(m.parse('#percentiles=50,99.90,0'))") == ["p50", "p99.9", "p0"]


@pytest.mark.parametrize(
    ("typed", "zone", "asked"),
    [
        ("7d", "UTC", "-7d"),
        (" - 15 M ", "UTC", "-15m"),
        ("−24h", "UTC", "-24h"),
        ("now", "UTC", "now"),
        ("2026-01-31 14:00", "UTC", "2026-01-31T14:00:00Z"),
        ("2026-07-31 14:00:05", "Europe/Berlin", "2026-07-31T12:00:05Z"),
        ("2026-01-31", "America/New_York", "2026-01-31T05:00:00Z"),
        ("2026-03-29 03:30", "Europe/Berlin", "2026-03-29T01:30:00Z"),  # the hour after the clocks have changed
        ("2026-01-31T14:00:00+01:00", "UTC", "2026-01-31T14:00:00+01:00"),
        ("yesterday", "UTC", "yesterday"),  # the API says what is wrong with it
    ],
)
def test_times_are_taken_as_people_write_them(decided: Evaluate, typed: str, zone: str, asked: str) -> None:
    assert decided("times", "m.normalise(a[0], a[1])", typed, zone) == asked


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "< 1 s"), (59.6, "60 s"), (150, "3 min"), (9_000, "2.5 h"), (864_000, "10 d")]
)
def test_durations_have_one_unit(decided: Evaluate, seconds: float, text: str) -> None:
    assert decided("times", "m.duration(a[0])", seconds) == text


def test_a_zoom_is_a_minute_long_at_least_and_widening_stops_at_now(decided: Evaluate) -> None:
    minute = 60_000
    assert decided("times", "m.dragged(a[0], a[1])", 1_000_400, 1_000_900) == [970_000, 1_031_000]
    assert decided("times", "m.dragged(a[0], a[1])", 10.4 * minute, 95.1 * minute) == [10 * minute, 96 * minute]
    assert decided("times", "m.widened(100, 200, 1000)") == [50, 250]
    assert decided("times", "m.widened(100, 200, 220)") == [20, 220]
    assert decided("times", "m.ago(a[0])", 2 * 86_400_000) == "-2d"
    assert decided("times", "m.ago(a[0])", 90_000) == "-90s"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_events_come_whole_however_the_text_is_cut(decided: Evaluate, size: int, ends: str) -> None:
    lines = [
        "retry: 500",
        "",
        ": ",
        "",
        "event: stats",
        "id: 7",
        "data: {",
        "data:}",
        "",
        "data: ü",
        "",
        "data: cut off",
    ]
    text = ends.join(lines)
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    script = "{ let r; const parse = m.createParser(ms => r = ms); return [a[0].flatMap(parse), r] }"
    events, retry = decided("sse", f"(() => {script})()", pieces)
    assert events == [
        {"type": "stats", "data": "{\n}", "id": "7"},
        {"type": "message", "data": "ü", "id": "7"},
    ]
    assert retry == 500


def row(minute: int, count: int, device: str = "dev-1", **more: object) -> dict[str, object]:
    start, end = f"2026-01-01T00:{minute:02}:00Z", f"2026-01-01T00:{minute + 1:02}:00Z"
    common = {"device_id": device, "metric": "temp", "start": start, "end": end, "count": count, "avg": 1.5}
    return {**common, "final": True, "method": "exact", "max_rank_error": 0, "late": 0, **more}


MERGED = """(() => {
  const rows = new m.Rows();
  rows.replace(a[0]);
  for (const event of a[1]) rows.merge(event);
  return [rows.newestFirst().map(r => [r.device_id, r.start.slice(14, 16), r.count]), rows.size];
})()"""


def test_the_stream_changes_rows_and_adds_new_ones(decided: Evaluate) -> None:
    """held 1|2|3   told 3'|4 (complete from 2): 2 is gone"""
    event = {"from": "2026-01-01T00:02:00Z", "to": "2026-01-01T00:05:00Z", "rows": [row(3, 9), row(4, 1)]}
    held = [row(1, 1), row(2, 2), row(3, 3)]
    rows, size = decided("rows", MERGED, held, [{**event, "complete": False}])
    assert rows == [["dev-1", "04", 1], ["dev-1", "03", 9], ["dev-1", "02", 2], ["dev-1", "01", 1]]
    assert size == 4
    rows, size = decided("rows", MERGED, held, [{**event, "complete": True}])
    assert rows == [["dev-1", "04", 1], ["dev-1", "03", 9], ["dev-1", "01", 1]]
    assert size == 3


def test_a_panel_has_devices_side_by_side_and_gaps_as_gaps(decided: Evaluate) -> None:
    script = """(() => {
      const rows = new m.Rows();
      rows.replace(a[0]);
      const panel = rows.panel("temp", ["dev-2", "dev-1"]);
      const at = moment => m.bucketAt(panel, panel.starts[0] + moment * 60000);
      return [panel.columns.map(c => c.rows.map(r => r && r.count)), [-1, 0, 0.9, 1, 2.5, 3, 9].map(at)];
    })()"""
    columns, at = decided("rows", script, [row(1, 1), row(2, 2), row(4, 4), row(2, 7, "dev-2")])
    assert columns == [[None, 7, None], [1, 2, 4]]
    assert at == [-1, 0, 0, 1, -1, 2, -1]


def test_the_summary_is_of_the_least_exact_row(decided: Evaluate) -> None:
    rows = [row(1, 5, late=2), row(2, 7, method="sketch", max_rank_error=0.0025, final=False)]
    counts = {"rows": 2, "readings": 12, "sketches": 1, "open": 1, "late": 2}
    assert decided("rows", "m.summary(a[0])", rows) == {**counts, "maxRankError": 0.0025}


def test_waiting_grows_and_is_bounded(decided: Evaluate) -> None:
    assert decided("api", "[0, 1, 2, 9].map(n => m.pause(n, 1000, 0.5))") == [1_000, 2_000, 4_000, 15_000]
    assert decided("api", "m.pause(0, 1000, 0)") == 750


def test_the_command_quotes_what_a_shell_would_take(decided: Evaluate) -> None:
    command = decided("export", "m.curl('http://a', [['device_id', \"it's $HOME\"]])")
    assert "'device_id=it'\\''s $HOME'" in command
    assert '"Authorization: Bearer $TOKEN"' in command


def test_the_next_page_is_the_links(decided: Evaluate) -> None:
    assert decided("export", "m.next('</stats?cursor=abc>; rel=\"next\"')") == "/stats?cursor=abc"
    assert decided("export", "m.next(null)") == ""


def test_labels_tell_ticks_apart(decided: Evaluate) -> None:
    assert decided("axes", "m.values([1010, 1012.5, 1015], 2.5)") == ["1,010.0", "1,012.5", "1,015.0"]
    assert decided("axes", "m.values([0, 500000, 1000000], 500000)") == ["0", "500K", "1M"]
    times = "m.times([Date.UTC(2026, 0, 1, 23), Date.UTC(2026, 0, 2)], 3600000, a[0])"
    assert decided("axes", times, "UTC") == ["23:00\n1 Jan", "00:00\n2 Jan"]
    assert decided("axes", times, "Europe/Berlin") == ["00:00\n2 Jan", "01:00"]


def test_a_token_is_taken_out_of_what_was_pasted(decided: Evaluate) -> None:
    assert decided("session", "['  Bearer  a.b.c\\n', 'a.b.c'].map(m.bare)") == ["a.b.c", "a.b.c"]
    payload = "eyJzdWIiOiLDvGJlci1hbmFseXN0In0"  # {"sub":"über-analyst"}
    assert decided("session", "[`h.${a[0]}.s`, 'opaque', 'a.b.c'].map(m.subject)", payload) == ["über-analyst", "", ""]


def test_exactness_is_said_in_words(decided: Evaluate) -> None:
    total = {"rows": 300, "readings": 4_000, "sketches": 0, "maxRankError": 0, "open": 0, "late": 0}
    said = "m.statements(a[0]).map(s => s.text)"
    assert decided("exactness", said, total) == ["exact", "all final", "0 late", "4,000 readings"]
    some = {**total, "sketches": 2, "maxRankError": 0.002501, "open": 1, "late": 7}
    assert decided("exactness", said, some) == [
        "sketch in 2 of 300 buckets, rank error ≤ 0.251 %",
        "1 of 300 buckets not final",
        "7 late",
        "4,000 readings",
    ]
    assert decided("exactness", said, {**total, "rows": 0}) == []


def test_the_rate_is_between_two_looks_at_the_pipeline(decided: Evaluate) -> None:
    looks = [
        {"as_of": f"2026-01-01T00:00:{second:02}Z", "ingestion": {"events": n}} for second, n in ((0, 100), (5, 350))
    ]
    assert decided("pipeline", "m.ratePerSecond(a[0], a[1])", *looks) == 50
    assert decided("pipeline", "m.ratePerSecond(a[0], a[0])", *looks) is None
