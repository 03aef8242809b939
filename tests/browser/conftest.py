"""One browser and one API for all tests of the page; a context of its own for each."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests import servers
from tests.browser import chromium
from tests.browser.chromium import Visitor
from tests.browser.site import Site, history, now, site


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Closed before tests elsewhere begin: its event loop lives in the main thread."""
    with chromium.browser() as opened:
        yield opened


@pytest.fixture(scope="package")
def served(stack: Mapping[str, str]) -> Iterator[Site]:
    """An API with history, which each test leaves running."""
    with servers.database(stack) as database, site(stack, database) as made:
        made.hour = history(made.warehouse, now())
        yield made


@pytest.fixture
def visit(browser: Browser, served: Site) -> Iterator[Callable[..., Visitor]]:
    """Opens contexts with Playwright's options; in the end nothing may be wrong with any."""
    with ExitStack() as closing:

        def opened(**options: Any) -> Visitor:
            visitor = Visitor(browser, served.url, **options)
            closing.callback(visitor.close)
            visitors.append(visitor)
            return visitor

        visitors: list[Visitor] = []
        yield opened
        for visitor in visitors:
            assert visitor.troubles == []


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    """A desktop's page, nothing loaded yet."""
    return visit(viewport={"width": 1280, "height": 900})
