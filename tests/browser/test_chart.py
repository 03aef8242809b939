"""Finding a device, drawing it, looking closer, and taking the view elsewhere."""

import csv
import io
import os
import re
import subprocess
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from tests.browser.chromium import Visitor
from tests.browser.pixels import painted
from tests.browser.site import DAY_S, Site

VIEW = "#device_id=boiler-1&metric=temperature&from=-24h&bucket=30m"


def fixed(site: Site) -> str:
    """A day that doesn't move with the clock: the same question is answered alike."""
    return "&".join(f"{name}={rfc3339(site.hour - ago)}" for name, ago in (("from", DAY_S), ("to", 0)))


def rfc3339(second: int) -> str:
    """As the page writes it."""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"


def fragment(page: Page) -> dict[str, list[str]]:
    """What the address bar says."""
    return parse_qs(urlsplit(page.url).fragment)


def drag(page: Page, start: float, end: float) -> None:
    """Over the chart, from one part of its width to another."""
    box = page.locator("#chart .u-over").first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * start, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, middle, steps=8)
    page.mouse.up()


def test_a_device_is_found_by_typing_and_drawn(visitor: Visitor, served: Site) -> None:
    page = visitor.enter(served.token())
    page.locator("#device").press_sequentially("iler-2")
    page.locator("#device-list").get_by_role("option", name="boiler-2").click()
    expect(page.locator("#chart canvas")).to_have_count(2)  # pressure, temperature
    page.locator("#metric").select_option("temperature")
    expect(page.locator("#chart canvas")).to_have_count(1)
    assert fragment(page)["device_id"] == ["boiler-2"]
    assert fragment(page)["metric"] == ["temperature"]


def test_the_band_the_lines_the_gap_and_what_came_late_are_on_the_canvas(visitor: Visitor, served: Site) -> None:
    page = visitor.enter(served.token(), VIEW)
    expect(page.locator("#table tbody tr").first).to_be_visible()
    seen = painted(page.locator("#chart canvas"))
    assert sum(column > 0 for column in seen.line) > 0.7 * len(seen.line)
    assert sum(seen.band) > 2_000
    assert 2.5 / 24 < seen.widest_gap < 3.5 / 24
    assert 0 < sum(column > 0 for column in seen.late) < 0.1 * len(seen.late)


def test_percentiles_are_drawn_as_chosen(visitor: Visitor, served: Site) -> None:
    page = visitor.enter(served.token(), VIEW)
    expect(page.locator("#legend")).to_contain_text("p95")
    page.locator("#percentiles").fill("10, 99.9")
    page.locator("#percentiles").press("Enter")
    expect(page.locator("#legend")).to_contain_text("p99.9")
    expect(page.locator("#legend")).not_to_contain_text("p95")
    assert fragment(page)["percentiles"] == ["10,99.9"]


def test_exactness_and_freshness_are_told(visitor: Visitor, served: Site) -> None:
    page = visitor.enter(served.token(), f"{VIEW}&live=1")
    expect(page.locator("#exactness")).to_contain_text(re.compile("exact|sketch"))
    expect(page.locator("#exactness")).to_contain_text("late")
    expect(page.locator("#freshness")).to_contain_text("live")
    expect(page.locator("#freshness")).to_contain_text(re.compile(r"\d\d:\d\d:\d\d"))
    expect(page.locator("#pipeline")).to_contain_text("events/s")


def test_dragging_zooms_and_back_returns(visitor: Visitor, served: Site) -> None:
    page = visitor.enter(served.token(), VIEW)
    expect(page.locator("#chart canvas")).to_be_visible()
    drag(page, 0.25, 0.5)
    expect(page).to_have_url(re.compile("to="))
    start, end = fragment(page)["from"][0], fragment(page)["to"][0]
    width = page.evaluate("([a, b]) => (Date.parse(b) - Date.parse(a)) / 3600000", [start, end])
    assert 5 < width < 7
    page.go_back()
    expect(page).to_have_url(re.compile("from=-24h"))
    expect(page.locator("#from")).to_have_value("-24h")
    expect(page.locator("#chart canvas")).to_be_visible()


def test_a_reload_restores_the_view_after_the_log_in(visitor: Visitor, served: Site) -> None:
    view = "#device_id=boiler-2&metric=pressure&from=-6h&bucket=15m&percentiles=50,99"
    page = visitor.enter(served.token(), view)
    rows = page.locator("#table tbody tr")
    expect(rows.first).to_be_visible()
    before = rows.count()
    page.reload()
    page.locator("#token").fill(served.token())
    page.locator("#token").press("Enter")
    expect(page.locator("#legend")).to_contain_text("boiler-2")
    expect(page.locator("#legend")).to_contain_text("p99")
    expect(page.locator("#from")).to_have_value("-6h")
    expect(page.locator("#bucket")).to_have_value("15m")
    expect(rows).to_have_count(before)
    assert page.evaluate("location.hash") == view


def test_two_devices_are_compared_in_one_chart(visitor: Visitor, served: Site) -> None:
    page = visitor.enter(served.token(), VIEW)
    page.locator("#device").press_sequentially("boiler-2")
    expect(page.locator("#device-list").get_by_role("option")).to_have_count(1)
    page.locator("#device").press("Enter")
    expect(page.locator("#legend tbody tr")).to_have_count(2)
    assert fragment(page)["device_id"] == ["boiler-1", "boiler-2"]
    expect(page.locator("#chart canvas")).to_have_count(1)
    assert sum(painted(page.locator("#chart canvas")).late) > 500  # the second one's line is amber too
    page.get_by_role("button", name="Remove boiler-1").click()
    expect(page.locator("#legend tbody tr")).to_have_count(1)
    assert fragment(page)["device_id"] == ["boiler-2"]


def test_the_table_is_the_apis(visitor: Visitor, served: Site) -> None:
    question = f"device_id=boiler-1&metric=temperature&{fixed(served)}&bucket=30m"
    page = visitor.enter(served.token(), f"#{question}")
    expect(page.locator("#table tbody tr").first).to_be_visible()
    texts = "[row.querySelector('time').dateTime, ...[...row.cells].slice(3, 7).map(cell => cell.innerText)]"
    shown = page.locator("#table tbody tr").evaluate_all(f"rows => rows.map(row => {texts})")
    told = {start: [float(text.replace(",", "")) for text in numbers] for start, *numbers in shown}
    rows = served.ask(f"/stats?{question}").json()["rows"]
    assert len(rows) == 42
    assert told == {row["start"]: [row["count"], row["min"], row["max"], float(f"{row['avg']:.6g}")] for row in rows}


def test_the_csv_is_the_apis(visitor: Visitor, served: Site) -> None:
    question = f"device_id=boiler-1&device_id=pump-1&{fixed(served)}&bucket=1h"
    page = visitor.enter(served.token(), f"#{question}")
    expect(page.locator("#table tbody tr").first).to_be_visible()
    with page.expect_download() as download:
        page.locator("#csv").click()
    assert download.value.suggested_filename.endswith(".csv")
    expected = served.ask(f"/stats?{question}", Accept="text/csv").text
    assert download.value.path().read_bytes() == expected.encode()
    assert len(list(csv.DictReader(io.StringIO(expected)))) == 42


def test_the_curl_that_is_shown_answers(visitor: Visitor, served: Site) -> None:
    token = served.token()
    page = visitor.enter(token, f"#device_id=boiler-1&metric=temperature&{fixed(served)}&bucket=30m")
    expect(page.locator("#table tbody tr").first).to_be_visible()
    command = page.locator("#curl").inner_text()
    assert token not in command
    argv = ["sh", "-c", f"{command} --fail --silent"]
    environment = {**os.environ, "TOKEN": token}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    assert '"device_id":"boiler-1"' in done.stdout
    assert done.stdout.count('"start"') == page.locator("#table tbody tr").count() == 42


def test_a_window_without_data_says_what_to_do(visitor: Visitor, served: Site) -> None:
    page = visitor.enter(served.token(), "#device_id=pump-1&metric=temperature&from=-1h")
    expect(page.locator("#empty")).to_be_visible()
    expect(page.locator("#empty")).to_contain_text("pump-1")
    expect(page.locator("#chart canvas")).to_have_count(0)


def test_a_device_that_nobody_knows_says_so(visitor: Visitor, served: Site) -> None:
    visitor.expect(r"status of 404")
    page = visitor.enter(served.token(), "#device_id=nobody&from=-1h")
    expect(page.locator("#status")).not_to_be_empty()


def test_a_view_that_the_api_refuses_says_which_field(visitor: Visitor, served: Site) -> None:
    visitor.expect(r"status of 422")
    page = visitor.enter(served.token(), "#device_id=boiler-1&from=-24h&bucket=7m")
    expect(page.locator("#status")).to_contain_text("bucket")
