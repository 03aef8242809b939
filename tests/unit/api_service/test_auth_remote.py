"""The keys of a provider that is really asked over HTTP; time is what the test says it is."""

import asyncio
import gzip
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import jwt
import pytest
from prometheus_client import CollectorRegistry

from api_service.auth import provider
from api_service.auth.algorithms import KNOWN
from api_service.auth.claims import Refused
from api_service.auth.keys import KeysAway
from api_service.auth.provider import Provider
from api_service.auth.remote import RemoteKeys
from api_service.auth.verifier import Verifier
from api_service.metrics import Metrics
from shared.errors import ConfigurationError
from tests.unit.api_service.identity import OTHER_RSA, P256, RSA, Identity, identity, jwk, key_set

Scenario = Callable[[], Coroutine[Any, Any, None]]
DAY_S = 86_400


@pytest.fixture
def there() -> Iterator[Identity]:
    with identity() as made:
        made.discovered()
        made.has(jwk(RSA, "a"))
        yield made


class House:
    """Our side: keys, a verifier, and a clock that stands still until it is moved."""

    def __init__(self, there: Identity, jwks_url: str = "") -> None:
        self.now, self.registry = 1000.0, CollectorRegistry()
        provided = Provider(there.issuer, jwks_url)
        self.keys = RemoteKeys(provided, KNOWN, DAY_S, Metrics(self.registry), lambda: self.now)
        self._verifier = Verifier(self.keys, KNOWN, there.issuer, "plumbline")
        self._issuer = there.issuer

    def token(self, private: Any, kid: str | None, algorithm: str = "RS256", **headers: Any) -> str:
        claims = {"iss": self._issuer, "aud": "plumbline", "sub": "ward", "exp": 4_000_000_000}
        named = {"kid": kid} if kid else {}
        return jwt.encode(claims, private, algorithm, headers={**named, **headers})

    async def verdict(self, token: str) -> str:
        try:
            return (await self._verifier.verify(token, time.time())).subject
        except Refused as refused:
            return refused.reason
        except KeysAway:
            return "away"


def test_discovery_finds_the_keys(there: Identity) -> None:
    async def scenario() -> None:
        house = House(there)
        assert await house.verdict(house.token(RSA, "a")) == "ward"
        assert await house.verdict(house.token(OTHER_RSA, "a")) == "signature"
        assert there.asked == ["/realm/.well-known/openid-configuration", "/keys"]
        assert await house.keys.trouble() is None

    asyncio.run(scenario())


def test_a_provider_without_openid_has_the_document_of_rfc_8414(there: Identity) -> None:
    del there.answers["/realm/.well-known/openid-configuration"]
    there.discovered("/.well-known/oauth-authorization-server/realm")
    house = House(there)
    assert asyncio.run(house.verdict(house.token(RSA, "a"))) == "ward"


def test_a_named_key_set_needs_no_discovery(there: Identity) -> None:
    house = House(there, there.jwks_url)
    assert asyncio.run(house.verdict(house.token(RSA, "a"))) == "ward"
    assert there.asked == ["/keys"]


def test_a_rotated_key_works_and_the_old_one_does_no_more(there: Identity) -> None:
    async def scenario() -> None:
        house = House(there)
        old, new = house.token(RSA, "a"), house.token(P256, "b", "ES256")
        assert await house.verdict(old) == "ward"
        there.has(jwk(P256, "b"))
        house.now += 1
        # At start it looked because of an unknown id: nothing was known.
        assert await house.verdict(new) == "unknown_key"
        house.now += 29
        assert await house.verdict(new) == "ward"
        assert await house.verdict(old) == "unknown_key"

    asyncio.run(scenario())


def test_a_key_that_is_replaced_under_its_id_ends_tokens_that_were_verified_before(there: Identity) -> None:
    async def scenario() -> None:
        house = House(there)
        old, new = house.token(RSA, "a"), house.token(OTHER_RSA, "a")
        async with house.keys.opened():
            await until(lambda: house.keys.current() is not None)
            assert await house.verdict(old) == "ward"
            assert await house.verdict(new) == "signature"
            there.has(jwk(OTHER_RSA, "a"))
            house.now += 301
            await until(lambda: there.fetches() == 2)
            await until(lambda: fetched(house, "ok") == 2)
            assert await house.verdict(old) == "signature"
            assert await house.verdict(new) == "ward"

    asyncio.run(scenario())


def test_the_background_fetches_what_was_asked_for_during_the_cool_down(there: Identity) -> None:
    async def scenario() -> None:
        house = House(there)
        async with house.keys.opened():
            await until(lambda: house.keys.current() is not None)
            there.has(jwk(RSA, "a"), jwk(P256, "b"))
            assert await house.verdict(house.token(P256, "c", "ES256")) == "unknown_key"
            there.has(jwk(RSA, "a"), jwk(P256, "b"), jwk(P256, "d"))
            assert await house.verdict(house.token(P256, "d", "ES256")) == "unknown_key"
            house.now += 30
            await until(lambda: there.fetches() == 3)
            await until(lambda: fetched(house, "ok") == 3)
            keys = house.keys.current()
            assert keys is not None
            assert keys.names("d")

    asyncio.run(scenario())


def test_a_flood_of_unknown_ids_causes_one_fetch_in_30_s(there: Identity) -> None:
    async def scenario() -> None:
        house = House(there)
        assert await house.verdict(house.token(RSA, "a")) == "ward"
        house.now += 100
        for second in range(60):
            house.now += 1
            tokens = [house.token(P256, f"{second}-{n}", "ES256") for n in range(3)]
            assert await asyncio.gather(*map(house.verdict, tokens)) == ["unknown_key"] * 3
        assert there.fetches() == 3
        assert await house.verdict(house.token(RSA, "a")) == "ward"

    asyncio.run(scenario())


def test_those_who_ask_at_once_share_one_fetch_and_one_who_leaves_does_not_end_it(there: Identity) -> None:
    held = threading.Event()

    def slowly() -> tuple[int, dict[str, str], bytes]:
        held.wait(2)
        return 200, {}, key_set(jwk(RSA, "a"))

    there.answers["/keys"] = slowly

    async def scenario() -> None:
        house = House(there)
        asking = [asyncio.create_task(house.verdict(house.token(RSA, "a"))) for _ in range(20)]
        await until(lambda: there.fetches() == 1)
        asking[0].cancel()
        held.set()
        assert await asyncio.gather(*asking[1:]) == ["ward"] * 19
        assert there.fetches() == 1

    asyncio.run(scenario())


def test_away_the_last_keys_count_until_max_stale_then_it_is_not_the_tokens_fault(there: Identity) -> None:
    async def scenario() -> None:
        house = House(there)
        known, unknown = house.token(RSA, "a"), house.token(P256, "b", "ES256")
        async with house.keys.opened():
            await until(lambda: fetched(house, "ok") == 1)
            there.answers["/keys"] = 503, {}, b""
            house.now += 301
            await until(lambda: fetched(house, "failed") == 1)
            for _ in range(20):
                assert await house.verdict(known) == "ward"
                assert await house.verdict(unknown) == "unknown_key"
            assert there.fetches() == 2
            assert await house.keys.trouble() is None
            house.now += DAY_S - 301
            assert await house.verdict(known) == "ward"
            house.now += 1
            assert await house.verdict(known) == "away"
            trouble = await house.keys.trouble()
            assert trouble is not None
            assert "503" in trouble
            there.has(jwk(RSA, "a"))
            house.now += 31
            await until(lambda: house.keys.current() is not None)
            assert await house.verdict(known) == "ward"

    asyncio.run(scenario())


def test_never_there_is_said_and_it_comes_back_by_itself(there: Identity) -> None:
    good = there.answers.pop("/keys")

    async def scenario() -> None:
        house = House(there)
        assert "not been fetched yet" in (await house.keys.trouble() or "")
        async with house.keys.opened():
            await until(lambda: fetched(house, "failed") == 1)
            with pytest.raises(KeysAway) as away:
                await house.keys.newer()
            assert 1 <= away.value.retry_after_s <= 30
            asked = there.fetches()
            assert [await house.verdict(house.token(RSA, str(n))) for n in range(50)] == ["away"] * 50
            assert there.fetches() == asked
            there.answers["/keys"] = good
            house.now += 30
            await until(lambda: house.keys.current() is not None)
            assert await house.verdict(house.token(RSA, "a")) == "ward"

    asyncio.run(scenario())


BIG = b'{"keys": [' + b" " * provider.MAX_BYTES + b"]}"
BROKEN: dict[str, tuple[int, dict[str, str], bytes]] = {
    "too large": (200, {}, BIG),
    "too large, and its length isn't said": (200, {"Content-Length": str(10**9)}, BIG),
    "garbage": (200, {}, b"<html>hello</html>"),
    "compressed, which nobody asked for": (
        200,
        {"Content-Encoding": "gzip"},
        gzip.compress(key_set(jwk(OTHER_RSA, "evil"))),
    ),
    "cut short": (200, {"Content-Length": "5000"}, b'{"keys": ['),
    "an error": (500, {}, key_set(jwk(OTHER_RSA, "evil"))),
    "no content": (204, {}, b""),
    "not there": (404, {}, b""),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_an_answer_that_is_none_changes_nothing(there: Identity, answer: tuple[int, dict[str, str], bytes]) -> None:
    async def scenario() -> None:
        house = House(there)
        assert await house.verdict(house.token(RSA, "a")) == "ward"
        there.answers["/keys"] = answer
        house.now += 100
        assert await house.verdict(house.token(OTHER_RSA, "evil")) == "unknown_key"
        assert fetched(house, "failed") == 1
        assert await house.verdict(house.token(RSA, "a")) == "ward"

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/keys", "/realm/.well-known/openid-configuration"])
def test_redirects_are_not_followed(there: Identity, path: str) -> None:
    there.answers["/elsewhere"] = there.answers[path]
    there.answers[path] = 302, {"Location": f"{there.url}/elsewhere"}, b""
    house = House(there)
    assert asyncio.run(house.verdict(house.token(RSA, "a"))) == "away"
    assert "/elsewhere" not in there.asked
    assert "redirects aren't followed" in (asyncio.run(house.keys.trouble()) or "")


def test_a_provider_that_is_slow_is_given_up(there: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "TIMEOUT_S", 0.2)
    done = threading.Event()

    def never() -> tuple[int, dict[str, str], bytes]:
        done.wait(10)
        return 200, {}, b""

    there.answers["/keys"] = never
    house = House(there)
    started = time.monotonic()
    assert asyncio.run(house.verdict(house.token(RSA, "a"))) == "away"
    assert time.monotonic() - started < 5
    assert "doesn't answer within" in (asyncio.run(house.keys.trouble()) or "")
    done.set()


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"issuer": "http://127.0.0.1/other"}, "names another issuer"),
        ({"jwks_uri": "http://login.example/keys"}, "is not https"),
        ({"jwks_uri": "file:///etc/passwd"}, "is no URL"),
        ({"jwks_uri": "https://user:secret@login.example/keys"}, "has a user"),
        ({"jwks_uri": 5}, "discovery document is none"),
    ],
)
def test_a_discovery_document_that_cannot_be_trusted(there: Identity, changed: dict[str, Any], problem: str) -> None:
    there.discovered(**changed)
    house = House(there)
    assert asyncio.run(house.verdict(house.token(RSA, "a"))) == "away"
    trouble = asyncio.run(house.keys.trouble()) or ""
    assert problem in trouble
    assert "→" in trouble
    assert there.fetches() == 0


def test_keys_that_cannot_be_used_are_said_to_be_none(there: Identity) -> None:
    there.has({"kty": "oct", "k": "AAAA", "kid": "a"})
    house = House(there)
    assert asyncio.run(house.verdict(house.token(RSA, "a"))) == "unknown_key"
    assert "no key that JWT_ALGORITHMS allows" in (asyncio.run(house.keys.trouble()) or "")


def test_a_key_id_that_two_keys_have_lets_nobody_in_and_its_neighbours_all(there: Identity) -> None:
    there.has(jwk(RSA, "a"), jwk(OTHER_RSA, "a"), jwk(P256, "b"))
    house = House(there)
    assert asyncio.run(house.verdict(house.token(RSA, "a"))) == "algorithm"
    assert asyncio.run(house.verdict(house.token(P256, "b", "ES256"))) == "ward"


def test_no_header_makes_us_ask_anybody(there: Identity) -> None:
    async def scenario() -> None:
        house = House(there)
        assert await house.verdict(house.token(RSA, "a")) == "ward"
        before, house.now = len(there.asked), house.now + 100
        url = f"{there.url}/keys"
        pointing: list[dict[str, Any]] = [
            {"jku": url},
            {"x5u": url},
            {"jwk": jwk(OTHER_RSA)},
            {"x5c": ["AA"]},
            {"crit": ["exp"]},
        ]
        for header in pointing:
            assert await house.verdict(house.token(OTHER_RSA, "new", **header)) == "header"
        secret = house.token("s" * 64, "new", "HS256")
        assert await house.verdict(secret) == "algorithm"
        assert await house.verdict(house.token(None, "new", "none")) == "algorithm"
        good = house.token(OTHER_RSA, "new")
        for broken in (good + "!", good + "=", "e30." + good, good.replace(".", ".%", 1), good[:-1], "x" * 9000):
            assert await house.verdict(broken) == "malformed"
        # Nor does a key id that is known.
        assert await house.verdict(house.token(OTHER_RSA, "a")) == "signature"
        assert await house.verdict(house.token(P256, "a", "ES256")) == "algorithm"
        assert await house.verdict(house.token(OTHER_RSA, None)) == "signature"
        assert await house.verdict(house.token(P256, None, "ES256")) == "algorithm"
        assert len(there.asked) == before

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("issuer", "jwks_url", "problem"),
    [
        ("", "https://login.example/keys", "JWT_JWKS_URL: JWT_ISSUER is not set → "),
        ("login.example", "", "JWT_ISSUER: is no URL → "),
        ("http://login.example", "", "JWT_ISSUER: is not https"),
        ("http://localhost.login.example", "", "JWT_ISSUER: is not https"),
        ("ftp://login.example", "", "JWT_ISSUER: is not https"),
        ("https://login.example:99999", "", "JWT_ISSUER: is no URL → "),
        ("https://[::1", "", "JWT_ISSUER: is no URL → "),
        ("https://me:secret@login.example", "", "JWT_ISSUER: has a user"),
        ("me", "http://10.0.0.1/keys", "JWT_JWKS_URL: is not https"),
        ("me", "https:///keys", "JWT_JWKS_URL: is no URL → "),
    ],
)
def test_settings_that_cannot_be_used(issuer: str, jwks_url: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Provider(issuer, jwks_url)
    assert str(refused.value).startswith(problem)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("issuer", "jwks_url"),
    [("https://a.example/", ""), ("me", "http://[::1]:80/k"), ("me", "http://localhost/k"), ("x", "http://127.9.9.9")],
)
def test_settings_that_can(issuer: str, jwks_url: str) -> None:
    Provider(issuer, jwks_url)


def test_the_issuer_may_say_how_long_its_keys_are_kept(there: Identity) -> None:
    there.answers["/keys"] = 200, {"Cache-Control": "public, max-age=90"}, key_set(jwk(RSA, "a"))
    fetched_body = asyncio.run(Provider(there.issuer, there.jwks_url).fetch())
    assert fetched_body.max_age_s == 90
    assert json.loads(fetched_body.body)["keys"][0]["kid"] == "a"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  a server's state, and threads'
            await asyncio.sleep(0.01)


def fetched(house: House, outcome: str) -> float:
    return house.registry.get_sample_value("plumbline_api_jwks_fetches_total", {"outcome": outcome}) or 0.0
