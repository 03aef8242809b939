"""JSON or CSV, by the Accept header (RFC 9110, 12.5.1)."""

import re
from functools import lru_cache

from api_service.problems import Problem

JSON = "application/json"
CSV = "text/csv"

_QUALITY = re.compile(r"(0(\.[0-9]{0,3})?|1(\.0{0,3})?)")


@lru_cache(maxsize=256)
def choose(accept: str | None) -> str:
    """The better one; JSON where both are as good.

    Raises:
        Problem: 406, the client takes neither.
    """
    ranges = [_range(part) for part in (accept or "*/*").split(",") if part.strip()]
    quality = {offer: _quality(offer, ranges) for offer in (JSON, CSV)}
    best = max(quality, key=lambda offer: quality[offer])
    if quality[best] == 0:
        raise Problem(406, f"There are {JSON} and {CSV}: send one of them, or */*, in the Accept header.")
    return best


def _range(text: str) -> tuple[str, float]:
    media, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = next((value[2:].strip() for value in parameters if value.startswith("q=")), "1")
    return media, float(quality) if _QUALITY.fullmatch(quality) else 0.0


def _quality(offer: str, ranges: list[tuple[str, float]]) -> float:
    """That of the most specific range which covers the offer."""
    for covering in (offer, offer.partition("/")[0] + "/*", "*/*"):
        found = [quality for media, quality in ranges if media == covering]
        if found:
            return max(found)
    return 0.0
