"""The identity provider hangs while events come: what is known goes on, and nobody is refused for what isn't theirs."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import jwt

from tests.faults.front import Front, fronted
from tests.faults.scene import Scene
from tests.unit.api_service.identity import P256, Identity, identity, jwk, key_set


@contextmanager
def provided(front: Front) -> Iterator[Identity]:
    """A provider of the keys that the load's token is signed with."""
    with identity() as there:
        there.has(front.keys.pairs[0].jwk())
        yield there


@contextmanager
def hanging(there: Identity) -> Iterator[None]:
    """It takes requests and doesn't answer, for the block."""
    before, over = there.answers["/keys"], threading.Event()

    def hang() -> tuple[int, Mapping[str, str], bytes]:
        over.wait(60)
        return 503, {}, b""

    there.answers["/keys"] = hang
    try:
        yield
    finally:
        there.answers["/keys"] = before
        over.set()


def asks(front: Front, kid: str) -> int:
    """What a token of another key gets: 403, the key is good but the token isn't for this."""
    claims = {"iss": "plumbline", "aud": "plumbline", "sub": "new", "exp": time.time() + 600}
    token = jwt.encode(claims, P256, "ES256", headers={"kid": kid})
    return front.client.get("/devices", headers={"Authorization": f"Bearer {token}"}).status_code


def test_known_keys_are_good_while_the_provider_is_away(scene: Scene, tmp_path: Path, long: bool) -> None:
    away_s = 45.0 if long else 5.0
    with fronted(scene, tmp_path) as front, provided(front) as there:
        settings = {"JWT_ISSUER": "plumbline", "JWT_JWKS_URL": there.jwks_url}
        with scene.service(), front.process(**settings), front.posts() as posts:
            scene.flows()
            scene.strike()
            with hanging(there):
                before, began = there.fetches(), time.monotonic()
                while time.monotonic() - began < away_s:
                    scene.expect(asks(front, "new") == 401, "a key that nobody knows is let in")
                fetches = there.fetches() - before
                scene.expect(1 <= fetches <= 1 + away_s // 30, f"{fetches} fetches in {away_s:.0f} s")
                scene.expect(front.lacks() == [], "the API isn't ready")
            scene.healed()
            there.answers["/keys"] = 200, {}, key_set(front.keys.pairs[0].jwk(), jwk(P256, "new"))
            if long:
                scene.awaits(lambda: asks(front, "new") == 403, "a rotated key works", 35)
            scene.expect(set(posts.statuses) == {202}, f"posts were answered with {dict(posts.statuses)}")
            scene.recovered()
        scene.verdict("API: JWKS away").survived()


def test_keys_that_are_too_old_end_in_a_503_that_ends_by_itself(scene: Scene, tmp_path: Path) -> None:
    """The control of the test above as well: without patience, the same fault is seen."""
    with fronted(scene, tmp_path) as front, provided(front) as there:
        settings = {"JWT_ISSUER": "plumbline", "JWT_JWKS_URL": there.jwks_url, "JWT_JWKS_MAX_STALE_SECONDS": 4}
        with scene.service(), front.process(**settings), front.posts() as posts:
            scene.flows()
            scene.strike()
            with hanging(there):
                front.complains("keys")
                scene.awaits(lambda: posts.statuses[503] > 100, "events are refused", 15)
            scene.healed()
            scene.awaits(lambda: front.lacks() == [], "the API is ready again", 15)
            goal = scene.accepted() + 500
            scene.awaits(lambda: scene.accepted() >= goal, "events are accepted again", 15)
            scene.expect(set(posts.statuses) == {202, 503}, f"posts were answered with {dict(posts.statuses)}")
            scene.expect(posts.without_retry_after == 0, f"{posts.without_retry_after} have no Retry-After")
            scene.recovered()
        scene.verdict("API: JWKS away for too long").survived()
