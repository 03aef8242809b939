"""How the analysts' page feels, in a real Chromium without a graphics card, in front of a real API and Postgres.

The first view: 30 days by hour of a device's four metrics, from the address to the log-in and from the log-in to the
chart's pixels, each time in a browser context that has seen nothing. Frames while somebody drags over that chart. The
search for a device among 100,000, from the question to the list on the screen; and the view of that fleet.
Needs Chromium, the Postgres of DB_* on this machine and the AUTH_* files of its stack. Prints JSON lines.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
from playwright.sync_api import Browser, Page, ViewportSize

from shared import lifecycle
from shared.errors import PlumblineError
from tests import servers
from tests.benchmarks import fleet
from tests.benchmarks.figures import percentile, report, say
from tests.benchmarks.fleet import Stretch
from tests.benchmarks.load import DAY_S
from tests.benchmarks.service import Api, aggregate, api
from tests.browser import chromium
from tests.servers import Database

LIMIT_VIEW_MS, LIMIT_FRAMES, LIMIT_SEARCH_MS = 1_000.0, 60.0, 200.0
DEVICES = 100_000
_STEP_S = 60
_SIZE: ViewportSize = {"width": 1280, "height": 900}
_WATCH = (Path(__file__).parent / "page.js").read_text()
_VIEW = "/#device_id=device-000000&from=-30d&bucket=1h"
_PARTS = ("0420", "device-09", "99", "7007", "31", "device-0001", "5555", "nobody-1", "08", "12345")

Line = dict[str, object]


def fill(connection: psycopg.Connection, days: int, now: int) -> None:
    """100,000 devices that are known by name, one of which has sent an event a minute for so many days."""
    fleet.register(connection, DEVICES)
    start = (now // DAY_S - days) * DAY_S
    fleet.fill(connection, [Stretch(start, (now - start) // _STEP_S, _STEP_S, range(1, 2), digits=2)])


class Visitor:
    """Visits the page of one API and tells how long things took."""

    def __init__(self, browser: Browser, served: Api) -> None:
        self._browser, self._served = browser, served

    def page(self) -> Page:
        """The log-in, as somebody sees it who comes for the first time."""
        context = self._browser.new_context(base_url=f"http://127.0.0.1:{self._served.port}", viewport=_SIZE)
        context.add_init_script(_WATCH)
        return context.new_page()

    def enter(self, page: Page, view: str) -> float:
        """Ms from the address to the log-in."""
        page.goto(view)
        token = page.locator("#token")
        token.fill(self._served.token)
        return float(page.evaluate("watch.login"))

    def first_view(self, times: int) -> Line:
        """30 days by hour, so many times."""
        found = []
        for _ in range(times):
            page = self.page()
            worked = _main_thread(page)
            login = self.enter(page, _VIEW)
            page.locator("#token").press("Enter")
            page.evaluate("watch.drawn")
            asked, painted = page.evaluate("[watch.submitted, watch.painted]")
            found.append((login + painted - asked, login, painted - asked, worked()))
            page.context.close()
        totals = sorted(total for total, *_ in found)
        worst = totals[-1]
        say(f"first view: {percentile(totals, 50):.0f} ms, at worst {worst:.0f} ms")
        return {
            "benchmark": "page",
            "what": "first view of 30 days by hour",
            "times": times,
            "median_ms": round(percentile(totals, 50)),
            "max_ms": round(worst),
            "to_login_median_ms": round(percentile(sorted(login for _, login, *_ in found), 50)),
            "login_to_chart_median_ms": round(percentile(sorted(chart for _, _, chart, _ in found), 50)),
            "main_thread_median_ms": round(percentile(sorted(cpu for *_, cpu in found), 50)),
            "limit": {"name": "at most", "ms": LIMIT_VIEW_MS},
            "ratio": round(worst / LIMIT_VIEW_MS, 3),
            "ok": worst <= LIMIT_VIEW_MS,
        }

    def drag(self, seconds: float) -> Line:
        """Frames while the mouse is held and moves over the chart."""
        page = self.page()
        self.enter(page, _VIEW)
        page.locator("#token").press("Enter")
        page.evaluate("watch.drawn")
        box = page.locator("#chart canvas").first.bounding_box()
        if box is None:
            raise PlumblineError("the chart has no canvas → look at the page")
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] * 0.2, middle)
        page.mouse.down()
        worked = _main_thread(page)
        page.evaluate("watch.begin()")
        began, moves = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            moves += 1
            across = 0.2 + 0.7 * abs((moves % 400) / 200 - 1)
            page.mouse.move(box["x"] + box["width"] * across, middle + moves % 7)
        gaps: list[float] = sorted(page.evaluate("watch.end()"))
        busy = worked()
        page.mouse.up()
        page.context.close()
        rate, p95 = 1_000 * len(gaps) / sum(gaps), percentile(gaps, 95)
        say(f"dragging: {rate:.1f} frames/s, p95 {p95:.1f} ms")
        return {
            "benchmark": "page",
            "what": "frames while dragging",
            "moves_per_second": round(moves / seconds),
            "frames": len(gaps),
            "frames_per_second": round(rate, 1),
            "p95_frame_ms": round(p95, 1),
            "max_frame_ms": round(gaps[-1], 1),
            "main_thread_ms_per_frame": round(busy / len(gaps), 2),
            "limit": {"name": "the screen's own", "frames_per_second": LIMIT_FRAMES},
            "ratio": round(rate / LIMIT_FRAMES, 3),
            "ok": round(rate) >= LIMIT_FRAMES,
        }

    def search(self) -> Line:
        """Parts of ids, typed one after the other."""
        page = self.page()
        self.enter(page, "/#")
        page.locator("#token").press("Enter")
        device, waits, whole = page.locator("#device"), [], []
        for part in _PARTS:
            device.fill("")
            page.evaluate("watch.search()")
            device.press_sequentially(part)
            answer: dict[str, float] = page.evaluate("part => watch.found(part)", part)
            waits.append(answer["shown"] - answer["asked"])
            whole.append(answer["shown"] - answer["typed"])
        page.context.close()
        waits.sort()
        worst = waits[-1]
        say(f"search: {percentile(waits, 50):.0f} ms, at worst {worst:.0f} ms")
        return {
            "benchmark": "page",
            "what": f"search in {DEVICES:,} devices",
            "times": len(waits),
            "median_ms": round(percentile(waits, 50)),
            "max_ms": round(worst),
            "from_last_key_median_ms": round(percentile(sorted(whole), 50)),
            "limit": {"name": "from the question to the list", "ms": LIMIT_SEARCH_MS},
            "ratio": round(worst / LIMIT_SEARCH_MS, 3),
            "ok": worst <= LIMIT_SEARCH_MS,
        }

    def fleet(self) -> Line:
        """The fleet view: its first rows, and all devices."""
        page = self.page()
        self.enter(page, "/#view=fleet")
        page.locator("#token").press("Enter")
        submitted, first, whole = page.evaluate(f"watch.fleet('{DEVICES:,} devices ·')")
        page.context.close()
        rows, complete = first - submitted, whole - submitted
        say(f"fleet view: first rows after {rows:.0f} ms, all devices after {complete:.0f} ms")
        return {
            "benchmark": "page",
            "what": f"fleet view of {DEVICES:,} devices",
            "first_rows_ms": round(rows),
            "all_devices_ms": round(complete),
            "limit": {"name": "first rows at most", "ms": LIMIT_VIEW_MS},
            "ratio": round(rows / LIMIT_VIEW_MS, 3),
            "ok": rows <= LIMIT_VIEW_MS,
        }


def _main_thread(page: Page) -> Callable[[], float]:
    """Gives the CPU time of the page's main thread since now, in ms: what doesn't depend on who else is busy."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        return float(metrics["TaskDuration"]) * 1_000

    before = spent()
    return lambda: spent() - before


def measure(database: Database, days: int, times: int, seconds: float) -> Iterator[Line]:
    """Fills, stores and visits."""
    with database.connect() as connection:
        fill(connection, days, int(time.time()))
    say(f"stored in {aggregate(database).seconds:.0f} s")
    with api(database, API_MODULES="auth,query,web") as served, chromium.browser() as browser:
        visitor = Visitor(browser, served)
        yield visitor.first_view(times)
        yield visitor.drag(seconds)
        yield visitor.search()
        yield visitor.fleet()


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.page",
        description=__doc__,
        epilog="example: python -m tests.benchmarks page --times 3 --seconds 2",
    )
    parser.add_argument("--days", type=int, default=31, help="of history, at least 30 (default: 31)")
    parser.add_argument("--times", type=int, default=9, help="that the first view is opened (default: 9)")
    parser.add_argument("--seconds", type=float, default=5, help="of dragging (default: 5)")
    options = parser.parse_args()
    with servers.database(dict(os.environ)) as database:  # another process is given it
        return report(list(measure(database, options.days, options.times, options.seconds)))


if __name__ == "__main__":
    lifecycle.run(main)
