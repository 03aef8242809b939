"""Logging in and out, and where the token is kept: nowhere but in memory."""

import json

from playwright.sync_api import Page, expect

from api_service.auth.claims import LEEWAY_S
from tests.browser.chromium import Visitor
from tests.browser.site import Site

VIEW = "#device_id=boiler-1&metric=temperature&from=-24h&bucket=1h"
REFUSED = r"status of 401"


def stored(page: Page) -> str:
    """All that the page has left where it outlives the page or can be seen."""
    kept = "[location.href, document.title, {...localStorage}, {...sessionStorage}, document.cookie, history.state]"
    return json.dumps(page.evaluate(kept))


def test_a_token_logs_in_by_enter(visitor: Visitor, served: Site) -> None:
    page = visitor.enter(served.token(), VIEW)
    expect(page.locator("#login")).to_be_hidden()
    expect(page.locator("#chart canvas")).to_be_visible()


def test_a_token_logs_in_by_the_button_and_logging_out_forgets_it(visitor: Visitor, served: Site) -> None:
    page = visitor.page
    page.goto(f"/{VIEW}")
    page.get_by_label("Token", exact=True).fill(f"  Bearer {served.token()}\n")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#chart canvas")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.locator("#login")).to_be_visible()
    expect(page.locator("#token")).to_have_value("")
    expect(page.locator("#table tbody tr")).to_have_count(0)
    expect(page.locator("#chart canvas")).to_have_count(0)


def test_a_client_logs_in_with_its_secret(visitor: Visitor, served: Site) -> None:
    page, (client_id, secret) = visitor.page, served.client
    page.goto(f"/{VIEW}")
    page.locator("#client-id").fill(client_id)
    page.locator("#client-secret").fill(secret)
    page.locator("#client-secret").press("Enter")
    expect(page.locator("#chart canvas")).to_be_visible()
    assert secret not in stored(page)
    assert all(secret not in url for url in visitor.requests)
    expect(page.locator("#client-secret")).to_have_value("")


def test_the_token_is_nowhere_but_in_memory(visitor: Visitor, served: Site) -> None:
    token = served.token()
    page = visitor.enter(token, VIEW)
    expect(page.locator("#table tbody tr").first).to_be_visible()
    signature = token.rpartition(".")[2]
    assert signature not in stored(page)
    assert signature not in page.content()
    assert all(signature not in url for url in visitor.requests)
    assert visitor.context.cookies() == []
    page.reload()
    expect(page.locator("#login")).to_be_visible()


def test_a_wrong_token_says_what_to_do(visitor: Visitor, served: Site) -> None:
    visitor.expect(REFUSED)
    page = visitor.page
    page.goto(f"/{VIEW}")
    page.locator("#token").fill("not.a.token")
    page.locator("#token").press("Enter")
    expect(page.locator("#login")).to_be_visible()
    expect(page.locator("#login-error")).to_contain_text("Log in again")
    expect(page.locator("#token")).to_be_focused()
    page.locator("#token").fill(served.token())
    page.locator("#token").press("Enter")
    expect(page.locator("#chart canvas")).to_be_visible()


def test_a_wrong_secret_says_what_to_do(visitor: Visitor) -> None:
    visitor.expect(REFUSED)
    page = visitor.page
    page.goto("/")
    page.locator("#client-id").fill("nobody")
    page.locator("#client-secret").fill("guessed")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#login-error")).not_to_be_empty()
    expect(page.locator("#login")).to_be_visible()


def test_nothing_given_says_what_is_needed(visitor: Visitor) -> None:
    visitor.page.goto("/")
    visitor.page.get_by_role("button", name="Log in").click()
    expect(visitor.page.locator("#login-error")).to_contain_text("Give a token")


def test_a_token_that_may_not_read_statistics_says_so(visitor: Visitor, served: Site) -> None:
    visitor.expect(r"status of 403")
    page = visitor.enter(served.token(["write:readings"]), VIEW)
    expect(page.locator("#status")).to_contain_text("read:stats")


def test_a_token_that_expires_asks_again_and_what_is_shown_stays(visitor: Visitor, served: Site) -> None:
    visitor.expect(REFUSED)
    page = visitor.enter(served.token(lifetime_s=6 - LEEWAY_S), f"{VIEW}&live=1")
    expect(page.locator("#chart canvas")).to_be_visible()
    expect(page.locator("#login-error")).to_contain_text("Log in again", timeout=30_000)
    expect(page.locator("#chart canvas")).to_be_visible()
    page.locator("#token").fill(served.token())
    page.locator("#token").press("Enter")
    expect(page.locator("#login")).to_be_hidden()
    expect(page.locator("#freshness")).to_contain_text("live")
    assert page.evaluate("location.hash").startswith("#device_id=boiler-1")
