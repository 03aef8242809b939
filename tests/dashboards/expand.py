"""What Grafana puts in the place of macros and variables before it asks. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

# As in Grafana's templating: $name, or ${name} with a format after a colon.
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)(?::(\w+))?\}")
_MACRO = re.compile(r"\$__(timeFrom|timeTo|timeFilter|timeGroup)\(([^)]*)\)")


@dataclass(frozen=True)
class Window:
    """A dashboard's time range; `interval` s lie between the points of a panel, `scrape` s between samples."""

    begin: datetime
    end: datetime
    interval: int
    scrape: int = 5

    @property
    def rate_interval(self) -> int:
        """Seconds of $__rate_interval: four samples at least."""
        return max(self.interval + self.scrape, 4 * self.scrape)


Values = Mapping[str, str | Sequence[str]]


def promql(expr: str, window: Window, values: Values) -> str:
    """The expression that Prometheus gets; several values of a variable become a regular expression."""
    own = {"__interval": f"{window.interval}s", "__rate_interval": f"{window.rate_interval}s"}
    return _substituted(expr, {**own, **values}, "regex")


def sql(text: str, window: Window, values: Values) -> str:
    """The statement that Postgres gets.

    Raises:
        KeyError: it uses a variable without a value, or a macro that isn't known here.
    """
    text = _substituted(text, {"__interval": f"{window.interval}s", **values}, "csv", keep=_MACRO)
    return _MACRO.sub(lambda found: _macro(found[1], found[2], window), text)


def _substituted(text: str, values: Values, default: str, keep: re.Pattern[str] | None = None) -> str:
    def value(found: re.Match[str]) -> str:
        if keep and keep.match(text, found.start()):
            return found[0]
        return _formatted(values[found[1] or found[2]], found[3] or default)

    return _VARIABLE.sub(value, text)


def _formatted(value: str | Sequence[str], form: str) -> str:
    if form == "sqlstring":
        quoted = ["'" + each.replace("'", "''") + "'" for each in ([value] if isinstance(value, str) else value)]
        return ",".join(quoted)
    if isinstance(value, str):
        return value
    if form == "regex":
        return "(" + "|".join(map(re.escape, value)) + ")"
    return ",".join(value)


def _macro(name: str, arguments: str, window: Window) -> str:
    begin, end = (f"'{moment:%Y-%m-%dT%H:%M:%S.%fZ}'" for moment in (window.begin, window.end))
    column, *rest = (argument.strip() for argument in arguments.split(","))
    match name:
        case "timeFrom":
            return begin
        case "timeTo":
            return end
        case "timeFilter":
            return f"{column} BETWEEN {begin} AND {end}"
    seconds = rest[0].removesuffix("s")
    return f"floor(extract(epoch from {column})/{seconds})*{seconds}"
