"""Times in parameters and answers; inside, microseconds since 1970 (UTC)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from shared.events.timestamps import parse_number, parse_text

SECOND = 1_000_000
_UNITS = {"s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND, "d": 86_400 * SECOND, "w": 7 * 86_400 * SECOND}
_RELATIVE = re.compile(r"-([0-9]{1,7})([smhdw])", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,9})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# No event is from outside, and the calendar of every zone is regular inside.
_LEAST, _MOST = -2_208_988_800 * SECOND, 7_258_118_400 * SECOND

EXPECTED = (
    "it is an RFC 3339 time with an offset (2025-09-09T17:00:00Z), epoch seconds or milliseconds, "
    "a time back from now (-15m, -24h, -7d), or now; from 1900 to 2199"
)


@dataclass(frozen=True, slots=True)
class Time:
    """A moment, or one that is `micros` from now."""

    micros: int
    relative: bool

    def at(self, now: int) -> int:
        """The moment, when `now` is the current one; none before 1900."""
        return max(_LEAST, now + self.micros) if self.relative else self.micros


def parse(text: str) -> Time | None:
    """The time that a parameter means; None: it means none."""
    if text == "now":
        return Time(0, relative=True)
    if back := _RELATIVE.fullmatch(text):
        return Time(-int(back[1]) * _UNITS[back[2]], relative=True)
    if _NUMBER.fullmatch(text):
        micros = parse_number(Decimal(text))
    else:
        # A `+` that wasn't escaped reaches us as a space; before an offset it can mean nothing else.
        parsed = parse_text(re.sub(r" (?=\d\d:\d\d$)", "+", text))
        if parsed is None:
            return None
        micros = parsed
    return Time(micros, relative=False) if _LEAST <= micros <= _MOST else None


@lru_cache(maxsize=65_536)  # the buckets' edges come again and again
def render(micros: int) -> str:
    """RFC 3339 in UTC with `Z`; microseconds only where there are some."""
    return datetime_of(micros).isoformat().replace("+00:00", "Z")


def micros_of(time: datetime) -> int:
    """Microseconds of a time with an offset."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def datetime_of(micros: int) -> datetime:
    """The time of so many microseconds."""
    return _EPOCH + timedelta(microseconds=micros)
