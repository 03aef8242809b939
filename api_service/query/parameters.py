"""Query parameters, read once and judged together: every error names its parameter and says what it may be."""

from collections.abc import Collection, Sequence

from api_service.problems import FieldError, invalid
from api_service.query import times
from api_service.query.times import Time
from shared.events.codes import Refused
from shared.events.strict import MAX_DEVICE_CHARACTERS, METRIC_NAME, normalise_device

Pairs = Sequence[tuple[str, str]]

MOST_NAMES = 100  # device ids or metrics in a question: what fits into a URL
_DAY = 86_400 * times.SECOND


class Parameters:
    """The pairs of a query string. Errors gather until `finish`."""

    def __init__(self, pairs: Pairs, known: Collection[str], repeatable: Collection[str] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        self._errors: dict[str, str] = {}
        unknown = False
        for name, value in pairs:
            if name not in known:
                unknown = True
            else:
                self._values.setdefault(name, []).append(value)
        if unknown:
            self.fail("query", f"it has a parameter that this route doesn't know; it knows {', '.join(known)}")
        for name, values in self._values.items():
            if len(values) > 1 and name not in repeatable:
                self.fail(name, "it may be given once only")
            if any("\0" in value for value in values):
                self.fail(name, "it may not hold a NUL character")

    def fail(self, name: str, detail: str) -> None:
        """Notes what is wrong with a parameter; the first thing is enough."""
        self._errors.setdefault(name, detail)

    def finish(self) -> None:
        """Raises the 422 for what was noted, if anything was."""
        if self._errors:
            raise invalid(*(FieldError(name, detail) for name, detail in self._errors.items()))

    def one(self, name: str) -> str | None:
        """The value; None without one."""
        return self._values[name][0] if name in self._values else None

    def many(self, name: str, most: int) -> tuple[str, ...]:
        """The distinct values, in order."""
        values = tuple(dict.fromkeys(self._values.get(name, ())))
        if len(values) > most:
            self.fail(name, f"it may be given {most} times at most")
        return values[:most]

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """One of `choices`, the first by default."""
        value = self.one(name)
        if value is None or value in choices:
            return value or choices[0]
        self.fail(name, f"it is one of {', '.join(choices)}")
        return choices[0]

    def limit(self, most: int) -> int:
        """Rows a page."""
        text = self.one("limit")
        if text is None:
            return min(1_000, most)
        if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most:
            return int(text)
        self.fail("limit", f"it is a whole number from 1 to {most}")
        return 1

    def time(self, name: str) -> Time | None:
        """A moment; None without one."""
        text = self.one(name)
        if text is None:
            return None
        time = times.parse(text)
        if time is None:
            self.fail(name, times.EXPECTED)
        return time

    def devices(self, name: str, most: int) -> tuple[str, ...]:
        """Device ids, normalised as events' are."""
        ids = []
        for value in self.many(name, most):
            try:
                ids.append(normalise_device(value))
            except Refused:
                self.fail(name, f"a device id has 1 to {MAX_DEVICE_CHARACTERS} characters, no control characters")
        return tuple(dict.fromkeys(ids))

    def metrics(self, name: str, most: int) -> tuple[str, ...]:
        """Names of metrics."""
        names = self.many(name, most)
        if not all(METRIC_NAME.fullmatch(value) for value in names):
            self.fail(name, "a metric's name has 1 to 64 of the characters A-Z a-z 0-9 _ . : / -")
        return names


def between(start: Time | None, end: Time | None, now: int) -> tuple[int, int]:
    """`from` and `to` in microseconds when it is `now`; without them, the 24 hours before now.

    Raises:
        Problem: 422, the range ends before it starts.
    """
    until = now if end is None else end.at(now)
    since = Time(-_DAY, relative=True).at(until) if start is None else start.at(now)
    if since > until:
        raise invalid(FieldError("from", "it is later than to: swap them"))
    return since, until
