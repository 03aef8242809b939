"""Whoever comes, with whatever they have: a keyboard, a screen reader, a phone, dark or light."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.chromium import Visitor
from tests.browser.site import Site, now
from tests.integration.api_service.warehouse import MICROS

VIEW = "#device_id=boiler-1&device_id=boiler-2&metric=temperature&from=-24h&bucket=1h"
PHONE = {"width": 360, "height": 740}
# A field's frame may show it in its place.
_SHOWN = """
() => [document.activeElement, document.activeElement.closest(":focus-within:not(:focus)")].some(element => {
  const { outlineStyle, boxShadow } = element ? getComputedStyle(element) : {};
  return element && (outlineStyle !== "none" || boxShadow !== "none");
})
"""
Visit = Callable[..., Visitor]


def serious(page: Page) -> list[str]:
    """What axe finds that keeps people out."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['help']}: {json.dumps([node['target'] for node in each['nodes']])}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def overflow(page: Page) -> float:
    """How much wider the page is than the window, in pixels."""
    return float(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1280, "height": 900}, PHONE], ids=["desktop", "phone"])
def test_nobody_is_kept_out(visit: Visit, served: Site, scheme: str, size: dict[str, int]) -> None:
    visitor = visit(viewport=size, color_scheme=scheme)
    page = visitor.page
    page.goto("/")
    expect(page.locator("#login")).to_be_visible()
    assert serious(page) == []
    page = visitor.enter(served.token(), VIEW)
    expect(page.locator("#table tbody tr").first).to_be_visible()
    assert serious(page) == []
    assert overflow(page) == 0
    page.get_by_role("link", name="Fleet").click()
    expect(page.locator("#fleet tbody tr").first).to_be_visible()
    assert serious(page) == []
    assert overflow(page) == 0


@pytest.mark.parametrize("size", [{"width": 1280, "height": 900}, PHONE], ids=["desktop", "phone"])
def test_the_longest_names_fit(visit: Visit, served: Site, size: dict[str, int]) -> None:
    first = f"longest-{size['width']}-"
    device, metric = first.ljust(128, "x"), "m" * 64
    served.warehouse.add([(device, now() * MICROS, {metric: 1.25})])
    page = visit(viewport=size).enter(served.token(), f"#device_id={device}&from=-1h")
    expect(page.locator("#table tbody tr").first).to_be_visible()
    assert overflow(page) == 0
    page.goto(f"/#view=fleet&q={first}")
    expect(page.locator("#fleet tbody td").nth(1)).to_contain_text("1.25")
    assert overflow(page) == 0


def test_dark_is_dark(visit: Visit, served: Site) -> None:
    light, dark = (visit(color_scheme=scheme).enter(served.token(), VIEW) for scheme in ("light", "dark"))
    brightness = "getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    assert min(light.evaluate(brightness)) > 200
    assert max(dark.evaluate(brightness)) < 60


def test_all_of_it_by_keyboard(visitor: Visitor, served: Site) -> None:
    page, keys = visitor.page, visitor.page.keyboard
    page.goto("/")
    expect(page.locator("#token")).to_be_focused()
    keys.insert_text(served.token())
    keys.press("Enter")
    expect(page.locator("#logout")).to_be_visible()
    reach(page, "#device")
    keys.type("boiler")
    options = page.locator("#device-list").get_by_role("option")
    expect(options).to_have_count(2)
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(page.locator("#chart canvas").first).to_be_visible()
    reach(page, "#chart figure")
    keys.press("ArrowLeft")
    expect(page.locator("#readout")).to_contain_text("average")
    keys.press("+")
    expect(page.locator("#to")).not_to_have_value("")
    reach(page, "#csv")
    with page.expect_download():
        keys.press("Enter")
    page.evaluate("document.activeElement.blur()")
    reach(page, "#nav-fleet")
    keys.press("Enter")
    expect(page.locator("#fleet tbody tr").first).to_be_visible()
    reach(page, "#fleet tbody a")
    keys.press("Enter")
    expect(page.locator("#legend")).to_be_visible()


def reach(page: Page, selector: str) -> None:
    """Tabs to it, at most through the whole page, and sees where the focus is."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            break
    else:
        pytest.fail(f"{selector} can't be reached by Tab")
    assert page.evaluate(_SHOWN), f"{selector} doesn't show that it has the focus"
