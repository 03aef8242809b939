"""What the page's policy forbids, and that these tests would notice it."""

import pytest
from playwright.sync_api import expect

from shared.errors import PlumblineError
from tests.browser import chromium
from tests.browser.chromium import Visitor

_FOREIGN = "https://example.invalid/pixel.png"


def test_what_the_policy_forbids_is_stopped_and_noticed(visitor: Visitor) -> None:
    visitor.expect("Content Security Policy|Failed to fetch|Refused to|example.invalid")
    page = visitor.page
    page.goto("/")
    expect(page.locator("#login")).to_be_visible()
    assert visitor.noticed == []
    attempts = {
        "an inline script": "document.body.append(Object.assign(document.createElement('script'), {text: 'ran = 1'}))",
        "an image from elsewhere": f"document.body.append(Object.assign(new Image(), {{src: '{_FOREIGN}'}}))",
        "a question elsewhere": f"fetch('{_FOREIGN}').catch(() => 0)",
        "a frame": f"document.body.append(Object.assign(document.createElement('iframe'), {{src: '{_FOREIGN}'}}))",
        "a style": "document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')",
    }
    for name, attempt in attempts.items():
        before = len(visitor.noticed)
        page.evaluate(f"async () => {{ await ({attempt}); }}")
        page.evaluate("() => new Promise(requestAnimationFrame)")
        assert len(visitor.noticed) > before, name
    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle([...document.querySelectorAll('p')].pop()).color") != "rgb(255, 0, 0)"


def test_an_error_in_the_page_is_noticed(visitor: Visitor) -> None:
    visitor.expect("thrown by the test|said by the test")
    page = visitor.page
    page.goto("/")
    with page.expect_event("pageerror"):
        page.evaluate("() => { setTimeout(() => { throw new Error('thrown by the test') }) }")
    with page.expect_console_message():
        page.evaluate("console.error('said by the test')")
    assert len(visitor.noticed) == 2


def test_a_machine_without_chromium_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(PlumblineError, match="make browser"), chromium.browser():
        pytest.fail("there was a browser")
