"""The fleet view: who sends what, who is silent, who is late."""

import re

from playwright.sync_api import Page, expect

from tests.browser.chromium import Visitor
from tests.browser.site import Site, now
from tests.integration.api_service.warehouse import MICROS

ROWS = "#fleet tbody tr"


def row(page: Page, device: str) -> str:
    """The device's row."""
    return f"{ROWS}:has(a:text-is('{device}'))"


def decided(page: Page, expression: str) -> object:
    """What the view's own module decides, in the page."""
    return page.evaluate(f"import('/web/fleet-rows.js').then(m => {expression})")


def test_latest_readings_silence_and_lateness(visitor: Visitor, served: Site) -> None:
    page = visitor.enter(served.token(), "#view=fleet")
    pump = page.locator(row(page, "pump-1"))
    expect(pump).to_contain_text("silent")
    expect(pump).to_contain_text(re.compile(r"1\.\d d ago|[23]\d h ago"))
    boiler = page.locator(row(page, "boiler-1"))
    expect(boiler).to_contain_text("temperature")
    latest = served.ask("/vital-data?device_id=boiler-1").json()["rows"][0]["data_payload"]
    expect(boiler).to_contain_text(f"{latest['temperature']:.6g}")
    expect(boiler.locator(".late")).to_have_text(re.compile(r"\d %|< 0.1 %"))
    expect(page.locator("#fleet-summary")).to_contain_text("silent for more than 15m")


def test_silence_is_what_the_user_says_and_the_longest_comes_first(visitor: Visitor, served: Site) -> None:
    page = visitor.enter(served.token(), "#view=fleet&q=-1")
    expect(page.locator(ROWS).first).to_contain_text("pump-1")
    page.locator("#fleet-silent").select_option("7d")
    expect(page.locator(row(page, "pump-1"))).not_to_contain_text("silent")
    page.locator("#fleet-silent").select_option("1h")
    page.locator("#fleet-only").select_option("silent")
    expect(page.locator(ROWS)).to_have_count(1)
    assert page.url.endswith("#view=fleet&q=-1&silent=1h&only=silent")


def test_the_filter_and_the_order(visitor: Visitor, served: Site) -> None:
    page = visitor.enter(served.token(), "#view=fleet")
    page.locator("#fleet-filter").fill("BOILER")
    expect(page.locator(ROWS)).to_have_count(2)
    page.get_by_role("button", name="Device").click()
    expect(page.locator(ROWS).first).to_contain_text("boiler-1")
    expect(page.get_by_role("columnheader", name="Device")).to_have_attribute("aria-sort", "ascending")
    page.locator("#fleet-filter").fill("nothing like it")
    expect(page.locator("#fleet-note")).to_contain_text("clear the filter")


def test_a_row_leads_to_its_chart_and_back_again(visitor: Visitor, served: Site) -> None:
    page = visitor.enter(served.token(), "#view=fleet")
    page.get_by_role("link", name="boiler-2").click()
    expect(page.locator("#chart canvas").first).to_be_visible()
    expect(page.locator("#legend")).to_contain_text("boiler-2")
    expect(page.locator("#fleet")).to_be_hidden()
    page.go_back()
    expect(page.locator(row(page, "boiler-2"))).to_be_visible()


def test_it_stays_current(visitor: Visitor, served: Site) -> None:
    page = visitor.page
    page.clock.install()
    visitor.enter(served.token(), "#view=fleet")
    expect(page.locator(ROWS).last).to_contain_text("%")  # lateness comes last
    served.warehouse.add([("newcomer-1", now() * MICROS, {"level": 42.5})])
    page.clock.fast_forward(600_000)
    expect(page.locator(row(page, "newcomer-1"))).to_contain_text("42.5")


def test_a_token_for_statistics_only_sees_who_is_there(visitor: Visitor, served: Site) -> None:
    visitor.expect("status of 403")
    page = visitor.enter(served.token(["read:stats"]), "#view=fleet")
    expect(page.locator(row(page, "boiler-1"))).to_contain_text("needs read:records")


def test_a_token_for_some_devices_sees_those(visitor: Visitor, served: Site) -> None:
    visitor.expect("status of 403")
    page = visitor.enter(served.token(devices=["boiler-*"]), "#view=fleet")
    expect(page.locator(ROWS)).to_have_count(2)


def test_a_token_for_nobody_says_so_in_both_views(visitor: Visitor, served: Site) -> None:
    visitor.expect("status of 403")
    page = visitor.enter(served.token(devices=["nobody-*"]))
    expect(page.locator("#empty")).to_contain_text("No device has sent anything yet")
    page.get_by_role("link", name="Fleet").click()
    expect(page.locator("#fleet-note")).to_contain_text("that this token may see")
    expect(page.locator("#fleet table")).to_be_hidden()


def test_a_large_fleet_comes_page_by_page(visitor: Visitor, served: Site) -> None:
    second = now()
    events = [(f"meter-{number:03}", (second - number) * MICROS, {"kwh": float(number)}) for number in range(120)]
    served.warehouse.add(events)
    page = visitor.enter(served.token(), "#view=fleet&q=meter-")
    expect(page.locator(ROWS)).to_have_count(50)
    expect(page.locator(ROWS).first).to_contain_text("meter-119")
    page.get_by_role("button", name="Next").click()
    expect(page.locator(ROWS).first).to_contain_text("meter-069")
    expect(page.locator(ROWS).first).to_contain_text("kwh 69")
    page.get_by_role("button", name="Next").click()
    expect(page.locator(ROWS)).to_have_count(20)
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    expect(page.get_by_label("Pages of the fleet")).to_contain_text("101–120 of 120")


def test_what_is_decided_without_a_server(visitor: Visitor) -> None:
    page = visitor.page
    page.goto("/")
    assert decided(page, "['90s', '15m', '6h', '7d'].map(m.seconds)") == [90, 900, 21_600, 604_800]
    assert decided(page, "['0m', 'm', '1w', ''].every(text => Number.isNaN(m.seconds(text)))") is True
    assert decided(page, "[0, 0.0004, 0.031, 1].map(m.percent)") == ["0 %", "< 0.1 %", "3.1 %", "100 %"]
    wild = "new Map([['silent', 'soon'], ['only', 'x'], ['sort', 'constructor'], ['page', '-2']])"
    assert decided(page, f"m.choices({wild})") == {
        "q": "",
        "silent": "15m",
        "only": "",
        "sort": "silence",
        "page": 1,
    }
    first, second = "{id: 'b', seen: 5, late: null}", "{id: 'a', seen: 5, late: {late: 1, count: 2}}"
    some = f"{first}, {second}, {{id: 'c', seen: null, late: null}}"
    order = "d => m.arranged([" + some + "], {...m.choices(new Map()), sort: d}, 9).map(d => d.id).join('')"
    assert decided(page, f"['device', 'silence', 'late'].map({order})") == ["abc", "cab", "abc"]
