"""What Prometheus says: which alerts fire."""

import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Alert:
    """One that fires, with its labels as the rule gave them."""

    name: str
    severity: str
    service: str
    summary: str


class Watch:
    """Asks a stack's Prometheus and Alertmanager; times are of the wall clock."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._prometheus, self._alertmanager = values["PROMETHEUS_URL"], values["ALERTMANAGER_URL"]

    def firing(self) -> list[Alert]:
        """The alerts that fire now."""
        found = _get(f"{self._prometheus}/api/v1/alerts")["data"]["alerts"]
        return [
            Alert(
                each["labels"]["alertname"], each["labels"].get("severity", ""), each["labels"].get("service", ""),
                each["annotations"]["summary"],
            )
            for each in found
            if each["state"] == "firing"
        ]  # fmt: skip

    def pages(self) -> set[str]:
        """The alerts that Alertmanager would tell the receiver of pages, by name and service."""
        found: list[dict[str, Any]] = _get(f"{self._alertmanager}/api/v2/alerts?receiver=pages&inhibited=false")
        return {f"{each['labels']['alertname']} {each['labels'].get('service', '')}" for each in found}

    def scraped(self) -> bool:
        """Whether all targets have answered, and rules have been evaluated since."""
        answer = _get(f"{self._prometheus}/api/v1/targets?state=active")["data"]["activeTargets"]
        return bool(answer) and all(each["health"] == "up" for each in answer)

    def until(self, condition: Callable[[], bool], within_s: float) -> float | None:
        """After how many seconds it holds; None: not within so many."""
        began = time.monotonic()
        while (waited := time.monotonic() - began) < within_s:
            if condition():
                return waited
            time.sleep(_POLL_S)
        return None


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  our own URL
        return json.load(answer)
