"""Logging in and out."""

from playwright.sync_api import expect

from tests.browser.chromium import Visitor


def test_the_page_comes(visitor: Visitor) -> None:
    visitor.page.goto("/")
    expect(visitor.page).to_have_title("Plumbline")
