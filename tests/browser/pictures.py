"""`make screenshots`: docs/figures/*.png of the page and of Prometheus with its rules, on a whole stack of its own."""

import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ViewportSize, expect

from deploy.local import monitoring, process
from deploy.local import stack as embedded
from ops.token import sign
from shared import lifecycle
from shared.errors import PlumblineError
from tests.browser import chromium, scene
from tests.browser.chromium import Visitor
from tests.browser.stamp import FIGURES, ROOT, page_source, rules_source, stamped
from tests.pipeline import wait_for

_DESKTOP = {"width": 1280, "height": 860}
_BOILER = "device_id=boiler-1&metric=temperature&from=-24h&bucket=15m"
_TOKEN_S = 3_600
_PAPER: dict[str, ViewportSize] = {
    "rules": {"width": 1440, "height": 1500},  # the first of them: with all, nobody could read it
    "alerts": {"width": 900, "height": 600},
}
# Where the checkout is, is nobody's business.
_SHORT = """
prefix => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(prefix, "");
}
"""


@dataclass(frozen=True)
class Shot:
    """A view of the page, in a context with these options."""

    view: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fleet(self) -> bool:
        """Whether it is the view of the fleet."""
        return "view=fleet" in self.view


PAGES = {
    "page-light": Shot(f"#{_BOILER}&percentiles=5,50,95&live=1", {"viewport": _DESKTOP}),
    "page-dark": Shot(f"#{_BOILER}&percentiles=5,50,95&live=1", {"viewport": _DESKTOP, "color_scheme": "dark"}),
    "page-compare": Shot("#device_id=boiler-1&device_id=boiler-2&from=-24h&bucket=30m", {"viewport": _DESKTOP}),
    "page-fleet": Shot("#view=fleet", {"viewport": _DESKTOP}),
    "page-phone": Shot(f"#{_BOILER}&percentiles=50&live=1", {"viewport": {"width": 390, "height": 844}}),
}
RULES = ("prometheus-rules", "prometheus-alerts")


def of_page(browser: Browser, values: Mapping[str, str], shot: Shot) -> bytes:
    """The picture of a view, once everything in it is there."""
    visitor = Visitor(browser, values["API_URL"], **shot.options)
    token = sign(values, "analyst", ["read:stats", "read:records"], None, _TOKEN_S)
    page = visitor.enter(token, shot.view)
    if shot.fleet:
        expect(page.locator("#fleet tbody tr").nth(20)).to_be_visible()
        expect(page.locator("#fleet td.late").first).to_be_visible()
    else:
        expect(page.locator("#table tbody tr").nth(20)).to_be_visible()
    expect(page.locator("#pipeline")).to_contain_text("events/s")
    expect(page.locator("#pipeline")).not_to_contain_text("…")
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    picture = page.screenshot()
    visitor.close()
    if visitor.troubles:
        raise PlumblineError(f"the page isn't sound: {'; '.join(visitor.troubles)} → mend it first")
    return picture


def of_prometheus(browser: Browser, values: Mapping[str, str], name: str) -> bytes:
    """The picture of Prometheus' own page, once every rule was evaluated."""
    page = browser.new_page(viewport=_PAPER[name])
    page.goto(monitoring.page(values, name))

    def evaluated() -> bool:
        page.reload()
        return "unknown" not in page.inner_text("body").lower()

    wait_for(evaluated, "every rule was evaluated")
    page.evaluate(_SHORT, f"{ROOT}/")
    picture = page.screenshot(full_page=name == "alerts")
    page.close()
    return picture


def take(values: Mapping[str, str]) -> None:
    """Writes all of them."""
    with chromium.browser() as browser:
        for name, shot in PAGES.items():
            _write(name, of_page(browser, values, shot), page_source())
        for name in RULES:
            _write(name, of_prometheus(browser, values, name.removeprefix("prometheus-")), rules_source())


def _write(name: str, picture: bytes, source: str) -> None:
    (FIGURES / f"{name}.png").write_bytes(stamped(picture, source))
    sys.stderr.write(f"  {name}: {len(picture) / 1000:.0f} kB\n")


def main() -> int:
    """Takes them all on a stack that is removed afterwards."""
    if missing := [name for name in ("prometheus",) if monitoring.program(name) is None]:
        raise PlumblineError(f"{missing[0]} isn't installed → {monitoring.command(*missing)}")
    with tempfile.TemporaryDirectory(prefix="plumbline-pictures-") as folder:
        home = Path(folder).resolve()
        try:
            take(scene.play(home, int(time.time())))
        finally:
            with process.uninterrupted():
                embedded.reset(home, say=lambda _: None)
    return 0


if __name__ == "__main__":
    lifecycle.run(main)
