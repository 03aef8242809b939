"""Chromium from PATH, and a page of it that notes whatever a visitor must never meet."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request, expect, sync_playwright

from deploy.local import packages
from shared.errors import PlumblineError

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PACKAGE = "chromium"
PATIENCE_MS = 15_000  # a machine that runs all tests at once is slow


def program() -> str | None:
    """The browser's path; None: it isn't installed."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium without a window.

    Raises:
        PlumblineError: there is none on PATH.
    """
    found = program()
    if found is None:
        raise PlumblineError(f"the page's tests need Chromium → make browser, or {packages.command(PACKAGE)}")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found)
        try:
            yield opened
        finally:
            opened.close()


class Visitor:
    """A page of a context of its own. `noticed`: errors, breaches of the policy, requests to anywhere else."""

    def __init__(self, browser: Browser, origin: str, **options: Any) -> None:
        self.origin = origin
        self.context: BrowserContext = browser.new_context(base_url=origin, **options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        self.noticed: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", self._error)
        self.page.on("request", self._request)

    def expect(self, pattern: str) -> None:
        """What the test brings about itself: a refusal, a server that is away."""
        self._expected.append(re.compile(pattern))

    def enter(self, token: str, view: str = "") -> Page:
        """Opens a view, logs in with a token, and returns the page."""
        self.page.goto(f"/{view}")
        self.page.locator("#token").fill(token)
        self.page.locator("#token").press("Enter")
        expect(self.page.locator("#logout")).to_be_visible()
        return self.page

    @property
    def troubles(self) -> list[str]:
        """What was noticed and not expected."""
        return [text for text in self.noticed if not any(pattern.search(text) for pattern in self._expected)]

    def close(self) -> None:
        """Ends it with all that it kept."""
        self.context.close()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):  # a breach of the policy is an error here
            self.noticed.append(f"console {message.type}: {message.text} ({message.location.get('url')})")

    def _error(self, error: Error) -> None:
        self.noticed.append(f"page error: {error}")

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.noticed.append(f"request to another origin: {request.url}")
