"""Which devices a token's claims cover."""

from typing import Any

import pytest

from api_service.auth.claims import read
from api_service.query.store import like_patterns


def devices(claim: dict[str, Any]) -> tuple[str, ...] | None:
    return read({"iss": "i", "aud": "a", "sub": "s", "exp": 100, **claim}, "i", "a").principal.devices


@pytest.mark.parametrize("claim", [None, "dev-1", "*", [1], ["dev-1", None], {"dev-1": 1}, 7, True, []])
def test_an_ill_typed_devices_claim_grants_nothing(claim: object) -> None:
    assert devices({"devices": claim}) == ()
    assert like_patterns(devices({"devices": claim})) == []


def test_without_the_claim_all_devices_are_covered() -> None:
    assert devices({}) is None
    assert like_patterns(None) is None


def test_only_the_star_is_special_in_a_pattern() -> None:
    assert like_patterns(["dev-*", "50%_\\"]) == ["dev-%", "50\\%\\_\\\\"]


def test_a_pattern_that_is_no_text_matches_nothing_and_breaks_nothing() -> None:
    assert like_patterns(["\ud800*", "a\0*"]) == []
