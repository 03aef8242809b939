"""The alerts that Prometheus has pending or firing."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ops.moments import moment
from shared.errors import Unavailable

TIMEOUT_S = 3.0
# Firing before pending, a page before a ticket.
_ORDER = {"firing": 0, "pending": 1}
_SEVERITIES = {"page": 0, "ticket": 1}


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `state` is firing or pending; `runbook` is the document and heading that explain it."""

    name: str
    state: str
    severity: str
    since: datetime
    summary: str
    runbook: str
    labels: Mapping[str, str]


def alerts(found: Mapping[str, Any]) -> list[Alert]:
    """From the answer of /api/v1/alerts, the most pressing first."""
    made = [_alert(each) for each in found["data"]["alerts"]]
    return sorted(made, key=lambda each: (_ORDER.get(each.state, 2), _SEVERITIES.get(each.severity, 2), each.since))


def _alert(each: Mapping[str, Any]) -> Alert:
    labels, annotations = dict(each["labels"]), each.get("annotations", {})
    name = labels.pop("alertname")
    return Alert(
        name=name,
        state=each["state"],
        severity=labels.pop("severity", ""),
        since=moment(each["activeAt"], datetime.now(UTC)),
        summary=annotations.get("summary", ""),
        runbook=annotations.get("runbook_url", ""),
        labels=labels,
    )


def read(values: Mapping[str, str]) -> list[Alert]:
    """The stack's alerts.

    Raises:
        Unavailable: Prometheus doesn't answer.
    """
    return alerts(get(values, "/api/v1/alerts"))


def get(values: Mapping[str, str], path: str) -> dict[str, Any]:
    """The JSON of Prometheus' HTTP API at this path.

    Raises:
        Unavailable: Prometheus doesn't answer.
    """
    url = f"{values['PROMETHEUS_URL']}{path}"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310  our own URL
            content: dict[str, Any] = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise Unavailable(f"{url} doesn't answer ({error}) → plumbline up --only prometheus") from None
    return content
