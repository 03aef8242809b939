"""What changes while somebody looks: new events, late ones, and a server that goes away and comes back."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import Visitor
from tests.browser.site import DAY_S, HOUR_S, Site, now
from tests.integration.api_service.warehouse import MICROS

AWAY = r"ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|status of 503"


def row_of(page: Page, start: int) -> str:
    """Selects the row of the bucket that starts at `start` (epoch s)."""
    iso = page.evaluate("s => new Date(s * 1000).toISOString().replace('.000Z', 'Z')", start)
    return f'#table tbody tr:has(time[datetime="{iso}"])'


def send(site: Site, device: str, second: float, value: float) -> None:
    """An event, as ingestion stores one."""
    site.warehouse.add([(device, round(second * MICROS), {"level": value})])


@pytest.fixture
def running_again(served: Site) -> Iterator[Site]:
    """The API, which a test may stop: it runs again afterwards."""
    yield served
    if not served.running:
        served.start()


def view(device: str) -> str:
    """The last ten minutes by minute, live."""
    return f"#device_id={device}&metric=level&from=-10m&bucket=1m&live=1"


def test_new_events_come_without_a_reload(visitor: Visitor, served: Site) -> None:
    second = now()
    send(served, "tank-1", second - 120, 10.0)
    page = visitor.enter(served.token(), view("tank-1"))
    expect(page.locator("#freshness")).to_contain_text("live")
    rows = page.locator("#table tbody tr")
    expect(rows).to_have_count(1)
    send(served, "tank-1", second, 12.5)
    expect(rows).to_have_count(2)
    row = page.locator(row_of(page, second - second % 60))
    expect(row.locator("td").nth(2)).to_have_text("1")
    send(served, "tank-1", second + 0.001, 13.5)
    expect(row.locator("td").nth(2)).to_have_text("2")
    assert sum(url.endswith("/web/app.js") for url in visitor.requests) == 1


def test_what_comes_late_is_marked_at_once_in_the_newest_buckets(visitor: Visitor, served: Site) -> None:
    page = visitor.enter(served.token(), "#device_id=boiler-2&metric=temperature&from=-2d&bucket=1d&live=1")
    expect(page.locator("#freshness")).to_contain_text("live")
    second = served.hour - 2 * HOUR_S + 61
    day = page.locator(row_of(page, second - second % DAY_S))
    expect(day).to_be_visible()
    expect(day.locator("td.late")).to_have_count(0)
    late(served, second, 2)
    expect(day.locator("td.late")).to_have_text("2")
    expect(page.locator("#exactness")).to_contain_text("2 late")


def test_what_comes_late_for_older_buckets_is_there_within_a_minute(visitor: Visitor, served: Site) -> None:
    page = visitor.page
    page.clock.install()
    visitor.enter(served.token(), "#device_id=boiler-2&metric=pressure&from=-6h&bucket=15m&live=1")
    expect(page.locator("#freshness")).to_contain_text("live")
    older = page.locator(row_of(page, served.hour - 3 * HOUR_S))
    expect(older).to_be_visible()
    late(served, served.hour - 3 * HOUR_S + 61, 3)
    page.clock.fast_forward(61_000)
    expect(older.locator("td.late")).to_have_text("3")


def late(site: Site, second: int, count: int) -> None:
    """Events of boiler-2 that come after their bucket was stored."""
    readings = {"temperature": 70.0, "pressure": 2.0}
    site.warehouse.add_late([("boiler-2", (second + number) * MICROS, readings) for number in range(count)])


def test_the_stream_goes_on_after_the_server_was_away(visitor: Visitor, running_again: Site) -> None:
    visitor.expect(AWAY)
    second = now()
    send(running_again, "tank-2", second - 120, 10.0)
    page = visitor.enter(running_again.token(), view("tank-2"))
    expect(page.locator("#freshness")).to_contain_text("live")
    running_again.stop()
    expect(page.locator("#freshness")).to_contain_text("reconnecting")
    expect(page.locator("#table tbody tr")).to_have_count(1)
    send(running_again, "tank-2", second, 11.0)
    running_again.start()
    expect(page.locator("#freshness")).to_contain_text("live", timeout=30_000)
    expect(page.locator("#table tbody tr")).to_have_count(2)


def test_a_question_to_a_server_that_is_away_is_answered_when_it_is_back(visitor: Visitor, running_again: Site) -> None:
    visitor.expect(AWAY)
    page = visitor.enter(running_again.token(), "#device_id=boiler-1&metric=temperature&from=-6h&bucket=1h")
    expect(page.locator("#table tbody tr").first).to_be_visible()
    running_again.stop()
    page.locator("#presets button[value='-24h']").click()
    expect(page.locator("#status")).to_contain_text("Trying again")
    running_again.start()
    expect(page.locator("#table tbody tr").nth(15)).to_be_visible(timeout=30_000)
    expect(page.locator("#status")).to_be_empty()
