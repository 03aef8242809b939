"""How long to wait before trying again."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

Jitter = Callable[[float], float]
"""A random wait from 0 to the given seconds."""

FIRST_S = 0.1
LONGEST_S = 10.0
RETRY_AFTER_AT_MOST_S = 60.0
"""A server that names a later time is asked again after this: it may have meant another unit."""


def full_jitter(longest_s: float) -> float:
    """Anything up to `longest_s`, so that many clients don't come back at the same moment."""
    return random.uniform(0.0, longest_s)


def wait_s(failures: int, retry_after_s: float | None, jitter: Jitter = full_jitter) -> float:
    """Seconds to wait after so many failures in a row (at least 1).

    Never less than the server asked for; the jitter comes on top of that.
    """
    # The exponent is bounded: 2.0 ** 1100 is an OverflowError.
    backoff = jitter(min(LONGEST_S, FIRST_S * 2.0 ** min(failures - 1, 30)))
    if retry_after_s is None:
        return backoff
    return min(retry_after_s, RETRY_AFTER_AT_MOST_S) + min(backoff, 1.0)


def retry_after_s(header: str | None, now: float) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3: seconds or a date); None: it says nothing.

    `now` is the wall clock in seconds since 1970.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:12])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.fromtimestamp(now, UTC)).total_seconds())
