"""Times and durations as operators type them. Pure."""

import re
from datetime import UTC, datetime, timedelta

from shared.errors import PlumblineError
from shared.events.timestamps import parse_number, parse_text

_UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}  # in µs
_DURATION = re.compile(r"([+-]?)(\d{1,9})(ms|s|m|h|d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(text: str, now: datetime) -> datetime:
    """RFC 3339 with an offset, epoch seconds or milliseconds, or a time ago (-2h).

    Raises:
        PlumblineError: it is none of these.
    """
    if (match := _DURATION.fullmatch(text)) and match[1] == "-":
        return now + duration(text)
    micros = parse_number(int(text)) if text.isascii() and text.isdigit() else parse_text(text)
    if micros is None:
        raise PlumblineError(f"{text!r} is no time → 2026-11-21T08:00:00Z, epoch seconds, or a time ago: -2h")
    return at(micros)


def duration(text: str) -> timedelta:
    """±NUMBER and ms, s, m, h or d.

    Raises:
        PlumblineError: it isn't.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise PlumblineError(f"{text!r} is no duration → a number and ms, s, m, h or d: -1h, +90s")
    sign, number, unit = match.groups()
    return timedelta(microseconds=int(number) * _UNITS[unit] * (-1 if sign == "-" else 1))


def at(micros: int) -> datetime:
    """The time so many microseconds after 1970.

    Raises:
        PlumblineError: before year 1 or after 9999.
    """
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        raise PlumblineError("the time lies outside of the years 1 to 9999 → check its unit") from None


def micros(when: datetime) -> int:
    """Microseconds since 1970."""
    return (when - _EPOCH) // timedelta(microseconds=1)


def rfc3339(when: datetime) -> str:
    """In UTC, to the microsecond."""
    return when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
