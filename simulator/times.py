"""Durations and moments as users write them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")


@dataclass(frozen=True)
class Moment:
    """A time in microseconds since 1970, or before or after now."""

    us: int
    relative: bool

    def at(self, now_us: int) -> int:
        """Microseconds since 1970."""
        return now_us + self.us if self.relative else self.us


def duration_us(text: str) -> int:
    """`90`, `90s`, `1.5h`, `250ms`, `2d` in microseconds; seconds without a unit.

    Raises:
        ValueError: it isn't one.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a duration → write 60s, 15m, 6h or 2d")
    return round(float(found[1]) * _UNITS[found[2] or "s"])


def moment(text: str) -> Moment:
    """`-6h` (before now), `now`, or RFC 3339 with an offset.

    Raises:
        ValueError: it isn't one.
    """
    if text == "now":
        return Moment(0, relative=True)
    if text[:1] in {"-", "+"}:
        sign = -1 if text[0] == "-" else 1
        return Moment(sign * duration_us(text[1:]), relative=True)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise ValueError(f"{text!r} is not a time → write -6h, now or 2026-11-21T04:00:00Z")
    since = parsed.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return Moment((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds, relative=False)
