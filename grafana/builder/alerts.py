"""The limits of the alerts, read from their rules: a colour changes where an alert begins to fire, and nowhere else."""

import math
import re
from functools import cache
from pathlib import Path

from grafana.builder.panels import Limits

_RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules"
# A rule's name, and its expression up to the next key.
_RULE = re.compile(
    r"^ +- (?:alert|record): (\S+)\n +expr: (?:\|\n)?((?:.|\n)*?)(?=^ +(?:for|labels|annotations|- \S+):|\Z)",
    re.MULTILINE,
)
_LIMIT = re.compile(r"[<>]=? ([\d.]+)(?: \* ([\d.]+))?")
_WITHIN = re.compile(r'le="([\d.]+)"')


def above(*, look: str = "", act: str = "") -> Limits:
    """Colours from the limits of two alerts on: one that can wait for a day, one that wakes somebody."""
    return Limits(_limit(look) if look else None, _limit(act) if act else None)


def below(*, look: str = "", act: str = "") -> Limits:
    """The same for alerts that fire below their limit."""
    return Limits(_limit(look) if look else None, _limit(act) if act else None, below=True)


def counted(*, look: str = "", act: str = "") -> Limits:
    """Colours for something that is counted: from the first whole number above the limit on."""
    return Limits(math.floor(_limit(look)) + 1 if look else None, math.floor(_limit(act)) + 1 if act else None)


def within(rule: str) -> float:
    """The seconds within which a rule wants things done: the bucket that it counts."""
    return float(_found(_WITHIN, rule)[1])


def _limit(alert: str) -> float:
    """What the alert's first comparison compares with."""
    found = _found(_LIMIT, alert)
    return round(float(found[1]) * float(found[2] or 1), 9)


def _found(pattern: re.Pattern[str], rule: str) -> re.Match[str]:
    found = pattern.search(rules()[rule])
    if found is None:
        raise ValueError(f"{rule}: its expression has no limit that a dashboard could show")
    return found


@cache
def rules() -> dict[str, str]:
    """The expressions of all rules, by the name of the alert or of what is recorded."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(_RULES.glob("*.yml"))]
    return {name: expr for text in texts for name, expr in _RULE.findall(text)}
